// Abbreviations by language, and what the full stop after each of them means for the end of a sentence.

/**
 * What a full stop after an abbreviation says before a capital or a number:
 * `never`: the sentence goes on (Dr., e.g.); `number`: it goes on only before a number (No., Fig., Jan.);
 * `maybe`: it goes on unless the next word is one that often opens a sentence (Inc., U.S., St.).
 * Words that end sentences as readily as any other (etc., usw.) are not listed.
 */
export type AbbreviationKind = "never" | "number" | "maybe";

type Table = Readonly<Record<AbbreviationKind, string>>;

/** Written without the last full stop; inner full stops stay, inner spaces are left out (z. B. is `z.B`). Case counts. */
const tables: Readonly<Record<string, Table>> = {
  // Latin and international forms, and alphabets that no other table uses.
  common: {
    never:
      "Dr Drs Prof Mr Mrs Ms Mme Mlle Mgr cf vs viz e.g eg i.e E.g I.e ca approx incl excl resp Ing M.Sc B.Sc Hr Fr Sr Sra Dra Dipl " +
      "т.е т.к напр см им ул проф акад т.н и.о π.χ δηλ डॉ प्रो श्री पं د أ.د",
    number:
      "Nr nr No no Nos nos № fig Fig Figs figs Abb Vol vol Vols pp p P S pág págs pag str tab Tab Kap kap cap Cap ch Ch chap Chap sec Sec Secs Eq Eqs eq eqs " +
      "Art art Bd § tel Tel tél Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec рис табл стр с гл т σελ αρ kl",
    maybe:
      "al etal Ph.D Inc Ltd Co Corp LLC Jr U.S USA U.K U.N E.U S.A S.p.A S.r.l Ltda Cía N.Y L.A D.C B.C A.D " +
      "г гг в вв др руб коп тыс млн млрд н.э д кв κ.λπ κ.ά μ.Χ π.Χ mln mld",
  },
  en: {
    never:
      "Gen Sen Rep Gov Col Lt Sgt Capt Maj Cmdr Adm Rev Hon Pres Supt Det Insp Messrs Mt Ft Pvt Cpl Brig Amb Atty Fr v versus a.k.a " +
      "Mx Prop Br Univ Op Opp",
    number:
      "Ref Refs ref refs para Para App Thm Lem Prop Def Cor Alg Rem vv ver Ver Vers Rm Apt Ste Ex",
    maybe:
      "St Ave Blvd Rd Sq Ln Pkwy Hwy Sr Bros Dept dept Assn Assoc Univ Inst Intl Natl Mfg est Est Ed Eds ed eds trans ibid Ibid cit min max hr hrs sec avg " +
      "a.m p.m A.M P.M Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky Mass Md Mich Minn Miss Mo Mont " +
      "Neb Nev Okla Ore Pa Tenn Tex Va Vt Wash Wis Wyo M.D B.A M.A J.D M.B.A Esq U.S.A U.S.C oz lb lbs ft misc Misc",
  },
  de: {
    never:
      "z.B Z.B d.h D.h u.a i.d.R bzw bspw vgl Vgl sog evtl ggf inkl exkl insb insbes mind max min lt zzgl abzgl einschl ausschl Hrn Fa St Dres med phil rer nat jur " +
      "h.c s.o s.u s.a u.U v.a z.T i.A i.V i.S i.H m.E o.g allg bes dt engl frz gem geb gest ehem griech lat urspr ursprgl verh Hl hl Gebr Frl a.D",
    number: "Abs Ziff Anm Aufl Bl Rn Rdnr Hft Jg Zl Sp Pos Stk Mär Mai Okt Dez Jän",
    maybe:
      "Mio Mrd Jh Jhd Jhdt Chr v.Chr n.Chr o.ä o.Ä u.ä u.Ä Std Min Sek Str Hbf tlw Mo Di Mi Do Fr Sa So",
  },
  fr: {
    never:
      "M MM Mmes Mlles Pr Me Mgr St Ste p.ex c.-à-d env av apr éd éds dir trad Cie Sté bd boul",
    number: "n art janv févr avr juil sept oct nov déc col liv ms",
    maybe: "J.-C suiv min sec h",
  },
  es: {
    never:
      "Srta Sres Sras Dres Profa D Dª Dña Ud Uds Vd Vds Lic Gral Cap Cmdte Excmo Excma Sto Sta San p.ej P.ej ej Ej EE RR FF AA CC JJ Av Avda Arq Mons aprox depto dpto",
    number: "núm núms n cap art ed vol col lám ene abr ago dic apdo",
    maybe: "UU EE.UU a.C d.C a.m p.m S.L S.A.C Hnos seg min",
  },
  it: {
    never:
      "Sig sig Sigg Sig.ra sig.ra Dott dott Dott.ssa dott.ssa prof ing avv Avv Arch Geom Rag On Egr Gent Spett p.es es cfr Cfr sec S SS Ss p.zza c.a",
    number: "n nn pagg art artt gen febb mag giu lug ago set ott dic",
    maybe: "a.C d.C",
  },
  pt: {
    never: "Srs Sras Profa Eng Exmo Exma V.Exa D Da p.ex P.ex ex Av aprox Sto Sta Pe Gal Cel",
    number: "n núm ed col fev abr mai ago set out dez",
    maybe: "a.C d.C Cia S.A",
  },
  nl: {
    never:
      "dhr Dhr mevr Mevr mw drs ir ing prof dr mr bijv Bijv bv d.w.z o.a i.p.v m.b.t t.a.v t.o.v z.g zgn evt m.n a.u.b ds Ds jhr St",
    number: "blz hfst jl mrt mei okt",
    maybe: "n.Chr v.Chr mln mld",
  },
  pl: {
    never: "np tzn tzw m.in prof inż mgr ul al św zob por pl lek ks płk gen",
    number: "s rys poz ust pkt godz",
    maybe: "r w tys mln mld zł wg",
  },
  sv: { never: "t.ex bl.a d.v.s dvs s.k jfr fr.o.m", number: "s okt maj", maybe: "mfl f.Kr e.Kr" },
  da: { never: "f.eks bl.a dvs ca hhv jf inkl ekskl", number: "s okt maj", maybe: "mfl f.Kr e.Kr" },
  cs: {
    never: "např tj tzv mj resp viz JUDr MUDr Bc Mgr pí",
    number: "č s čl odst",
    maybe: "tis mil r",
  },
};

/** Words that open sentences often and stand in names seldom; particles of names (de, la, van) are left out. */
const starters = new Set(
  (
    "The This That These Those It He She We They You There Here His Her Its Our Their My Your In On At As But And However If When While For From To After " +
    "Before By With Without What Why How Who Where Which Since Although Though Because Also So Then Thus Some Many Most Each Every Another Both No Not Yes One " +
    "Other Others Moreover Furthermore Meanwhile Finally First Second Third Or Such Once During Until Under Over Despite Instead Later Now Today Let Please Note " +
    "An All Any Several Even Just Like Only Still Yet Its It's I I'm I've He's She's We're They're That's There's Therefore Additionally According Are Is Was Were Did Do Does Can Could Would Should Will Have Has Had " +
    "Der Die Das Den Dem Des Ein Eine Einer Einem Es Er Sie Wir Ich Ihr Im Am Auf Aus Bei Mit Nach Seit Vor Zu Zum Zur Für Und Aber Doch Oder Wenn Als Dann Dies Diese Dieser Dieses Hier Nun Auch Wie Was Wer Wo Warum Man Alle Jede Kein Keine Durch Über Unter Bis Weil Während Obwohl Ob Daher Dabei Damit Danach Darauf Jedoch Zudem Außerdem " +
    "Les Il Elle Ils Elles On Nous Vous Je Ce Cette Ces Cet C'est C’est En Dans Sur Pour Par Avec Sans Mais Et Ou Si Quand Comme Après Avant Son Sa Ses Leur Leurs Une Un Cependant Ainsi " +
    "Los Una Por Para Con Sin Se Su Sus Es Este Esta Estos Estas Cuando Pero Aunque También Además Según " +
    "Gli Nel Nella Questo Questa Quando Ma Anche Os Uma Nos Na No Quando Mas Também Het Een Deze Dit Dat Maar Ook " +
    "В На Он Она Они Оно Это Этот Эта По Но И Из Для Как Если Когда После При До Мы Вы Я Не За От"
  ).split(" "),
);

const cache = new Map<string, ReadonlyMap<string, AbbreviationKind>>();

/** The abbreviations of a language (BCP 47 tag) over the common ones; unknown languages get the common and the English ones. */
export function abbreviationsOf(language: string): ReadonlyMap<string, AbbreviationKind> {
  const base = language.toLowerCase().split(/[-_]/)[0] ?? "";
  const known = Object.hasOwn(tables, base) ? base : "en";
  const cached = cache.get(known);
  if (cached) return cached;
  const map = new Map<string, AbbreviationKind>();
  for (const name of ["common", known]) {
    for (const kind of ["maybe", "number", "never"] as const) {
      for (const word of tables[name]?.[kind].split(" ") ?? []) if (word) map.set(word, kind);
    }
  }
  cache.set(known, map);
  return map;
}

export function isStarter(word: string): boolean {
  return starters.has(word);
}

const functionWords: Readonly<Record<string, RegExp>> = {
  en: /\b(?:the|of|and|to|is|that|with|for)\b/g,
  de: /\b(?:der|die|und|das|den|ist|nicht|mit|ein|eine)\b/g,
  fr: /\b(?:le|les|et|des|une|est|dans|pour|qui|du)\b/g,
  es: /\b(?:el|los|las|una|del|que|por|con|para|es)\b/g,
  it: /\b(?:il|gli|della|che|per|una|con|del|sono|di)\b/g,
  pt: /\b(?:os|uma|do|da|que|em|para|com|não|ao)\b/g,
  nl: /\b(?:het|een|van|en|niet|voor|met|zijn|dat|op)\b/g,
};

const sampleLength = 4000;

/**
 * A guess at which abbreviation table fits, from the function words in the text's first 4,000 characters.
 * Empty where none occurs. It only picks punctuation rules; `detectLanguage` is what names a document's language.
 */
export function guessAbbreviationLanguage(text: string): string {
  const sample = text.slice(0, sampleLength).toLowerCase();
  let best = "";
  let bestCount = 0;
  for (const [language, pattern] of Object.entries(functionWords)) {
    const count = sample.match(pattern)?.length ?? 0;
    if (count > bestCount) {
      best = language;
      bestCount = count;
    }
  }
  return best;
}
