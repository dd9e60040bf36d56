// The writing system of each character as SentencePiece's trainer knows it: Unicode 9's scripts, whatever Node knows.

/** Characters of no script, and those that take the script of what stands before them. */
export const commonScript = 0;
export const inheritedScript = 1;

/**
 * Runs of characters of one script: the gap since the last run's end, the run's length less one and the script's
 * number, joined by dots, in base 36; what is left out is 0, or the script of the run before. Hiragana, Katakana and
 * the long vowel mark count as Han. Source: Scripts-9.0.0.txt of the Unicode Character Database.
 */
const encodedRuns =
  "1t.p.2 7.p 1c g 6.m 2.u 2.cg 14.4 6.1.3 l.33.1 1.3.4 2.2 3.3 2 5 2 2.2 2 2.j 2.1q 1.d.5 1.f.4 1.3o.6 1.1.1 " +
  "1.4o.6 2.11.7 3.6 2.12 3 3.2 2.1i.8 9.q 6.4 c.4.9 2.5 2.d 4 2.v 2.9 1.a.1 1.p.9 1..1 1.2z.9 2.x 1.d.a 2.1n 3.2 " +
  "1.1b.9 1.1d.b f.1m.c 6.19.d 3.e 2.r.e 3 1u.k.9 2.7 n.d 2.s 1.28.f 1.1.1 1.g.f 3.p 1.3.g 2.7 3.1 3.l 2.6 2 4.3 " +
  "3.8 3.1 3.3 9 5.1 2.4 3.l 6.2.h 2.5 5.1 3.l 2.6 2.1 2.1 2.1 3 2.4 5.1 3.2 4 8.3 2 8.f c.2.i 2.8 2.2 2.l 2.6 2.1 " +
  "2.4 3.9 2.2 2.2 3 g.3 3.b 8 8.2.j 2.7 3.1 3.l 2.6 2.1 2.4 3.8 3.1 3.2 9.1 5.1 2.4 3.h b.1.k 2.5 4.2 2.3 4.1 2 " +
  "2.1 4.1 4.2 4.b 5.4 4.2 2.3 3 7 f.k 6.3.l 2.7 2.2 2.m 2.f 4.7 2.2 2.3 8.1 2.2 6.3 3.9 9.7 1.3.m 2.7 2.2 2.m 2.9 " +
  "2.4 3.8 2.2 2.3 8.1 8 2.3 3.9 2.1 f.2.n 2.7 2.2 2.14 3.7 2.2 2.5 5.f 3.p 3.1.o 2.h 4.n 2.8 2 3.6 4 5.5 2 2.7 7.9 " +
  "3.2 d.1l.p 6.r 12.1.q 2 3.1 2 3 7.3 2.6 2.2 2 2 3.1 2.c 2.2 3.4 2 2.5 3.9 3.3 x.1z.r 2.z 5.12 2.z 2.e 2.6 5.1 " +
  "12.4f.s 1.11.t 2 6 3.16 2.3 1.73.u 1.20.v 2.3 3.6 2 2.3 3.14 2.3 3.w 2.3 3.6 2 2.3 3.e 2.1k 2.3 3.1u 3.v 4.p " +
  "7.2d.w 3.5 3.hr.x 1.s.y 4.22.z 4.a 8.c.10 2.6 c.k.11 c.j.12 d.c.13 2.2 2.1 d.2l.14 3.9 7.9 7.1.15 3 2.8 2.9 7.2f " +
  "9.16 6.1x.x b.u.16 2.b 5.b 5 4.b 1.t.17 3.4 c.17.18 5.p 7.a 4.1 1.v.14 1.r.19 3.1 1.1q.1a 2.s 3.a 7.9 7.d 3.e.1 " +
  "1u.23.1b 5.18 4.1r.1c 1.1f.1d 9.3 1.1j.1e 4.e 4.2 1.1b.1f 1.8.6 1k.7.1c 9.2.1 2.c 2.6 5 7 4.1 7.11.2 1.4.4 1..6 " +
  "1.1c.2 1.4.4 1.3.2 1.4.4 1.c.2 1..6 1.1x.2 1..4 1.1h.1 6.4 1.73.2 1.l.4 3.5 3.11 3.5 3.7 2 2 2 2.u 3.1g 2.e 2.d " +
  "3.5 2.i 3.2 2.8 e.1.1 2s..2 e h.c 1g.w.1 1i..4 4.1.2 7 s i.14 1a0.73.1g ld.1a.1h 2.1a 2.v.2 1.37.5 6.6 1.11.t 2 " +
  "6 3.1j.1i 8.1 f 1.m.v a.6 2.6 2.6 2.6 2.6 2.6 2.6 2.6 2.v.6 3l.p.1j 2.2g d.5x 1c 2 q.8 1.3.1 1.1.u 9.3.1j 6.2d " +
  "3.1.1 3.2.1j 2.2h 2.3 6.14.3 4.2l.u i.q.3 1i.f.1j 1.u.u 1u.u 2a.1a.1j 2.2f 4p.52t 23.g5x 17.wc.1k 4.1i a.1b.1l " +
  "1.8b.1m l.2n.6 1.2f.1n 17.2t.2 4.z 2.7 1s.8 1.17.1o l.1j.1p 9.1x.1q 9.b 7.t.f 3.19.1r 2 1.z.1s c 1.s.u 4.25.1t " +
  "3.9 5.1 1.u.s 2.1i.1u a.d 3.9 3.3 1.v.s 1.1u.1v p.4 1.m.1w b.5.v 3.5 3.5 a.6 2.6 2.16.2 2.8 1..4 b.27.w 1.19.1w " +
  "3.9 7.8mb.u d.m 5.1c 6it.a5.1j 3.2x 13.6.2 d.4.7 6.p.8 2.4 2 2.1 2.1 2.9 1.35.9 i.a2 j.1r 3.1h 15.d 3.f.1 h.d " +
  "1.1.6 1t.4.9 2.3q 11.p.2 7.p c.9.1j 2.18 3.u.u 4.5 3.5 3.5 3.2 10.b.1x 2.p 2.i 2.1 2.e 3.d z.3e 1y.26.4 i 2l..1 " +
  "3n.s.1y 4.1c.1z g..1 w.z.20 d.q.21 6.16.22 6.t.23 2 1.z.24 5.d 17.27.25 1.1b.26 1.t.27 3.9 7.z.28 5.z 5.13.29 " +
  "9.1f.2a c 41.8m.2b a.l b.7 49.5.2c 3 2.17 2.1 4 3 1.l.2d 2.8 1.v.2e 1.u.2f 9.8 1d.i.2g 2.1 6.4 1.r.2h 4 1.p.2i 6 " +
  "1t.v.2j 1.n.2k 5.j 3.19 1.3.2l 2.1 6.7 2.2 2.q 5.2 5.8 9.8 8.v.2m 1.v.2n x.12.2o 5.b a.1h.2p 4.6 1.l.2q 3.7 " +
  "1.i.2r 6.7 1.h.2s 8.3 d.6 29.20.2t 1k.1e.2u e.1e 8.5 9t.u.9 aq.25.2v 5.t g 1.1t.2w f.o.2x 8.9 7.1g.2y 2.d " +
  "d.12.2z a.25.30 3.f 2.j.o c.h.31 2.17 1u.6.32 2 2.3 2.e 2.a 7.1m.33 6.9 7.3.34 2.7 3.1 3.l 2.6 2.1 2.4 3.8 3.1 " +
  "3.2 3 7 6.6 3.6 4.4 3w.2h.35 2 2 z.1z.36 9.9 4n.1h.37 3.11 z.1w.38 c.9 7.c.15 k.1j.39 9.9 1j.p.3a 4.e 5.f " +
  "9t.2a.3b d ch.1k.3c 7c.8.3d 2.18 2.d b.s 4.v.3e 3.l 2.d ne.pl.3f 2v.32 2.4 c.5f 24d.tq.3g 34i.g6.3h 6nu.fs.1n " +
  "8.u.3i 2.9 5.1 2p.t.3j 3.5 b.1x.3k b.9 2.6 2.k 6.i oh.1w.3l c.1a h.g 1t..3m w.4q4 k.ky 7bi.1.1j 2db.2y.3n 6.c " +
  "4.8 8.9 3.3 43s.2.1 i.7 3.6 v.3 2b.1x.4 14r.i3.3o g.4 2.e 11t.6.1h 2.g 3.6 2.1 2.4 1jq.5g.3p 3.f 16.22.3q 6.9 " +
  "5.1 wx.3.9 2.q 2.1 2 3 2.9 2.3 2 2 7 5 2 2 2.2 2.1 2 3 2 2 2 2 2.1 2 3.3 2.6 2.3 2.3 2 2.9 2.g 6.2 2.4 2.g 1h.1 " +
  "lr..1j 2rk.wye 16.378 c.65 3.4g1 867.f1 fhlv.6n.1";

function readRuns(): { firsts: Uint32Array; lasts: Uint32Array; scripts: Uint8Array } {
  const runs = encodedRuns.split(" ");
  const firsts = new Uint32Array(runs.length);
  const lasts = new Uint32Array(runs.length);
  const scripts = new Uint8Array(runs.length);
  let end = 0;
  let script = 0;
  for (const [i, run] of runs.entries()) {
    const [gap = "", more = "", named = ""] = run.split(".");
    firsts[i] = end + Number.parseInt(gap, 36);
    end = (firsts[i] as number) + (more === "" ? 0 : Number.parseInt(more, 36));
    if (named !== "") script = Number.parseInt(named, 36);
    lasts[i] = end;
    scripts[i] = script;
  }
  return { firsts, lasts, scripts };
}

const { firsts, lasts, scripts } = readRuns();

/** A number that is the same for characters of one script. */
export function scriptOf(codePoint: number): number {
  let low = 0;
  let high = firsts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (codePoint < (firsts[middle] as number)) high = middle - 1;
    else if (codePoint > (lasts[middle] as number)) low = middle + 1;
    else return scripts[middle] as number;
  }
  return commonScript;
}
