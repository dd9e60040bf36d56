// Sentence splitting: tables of cases by language and layout, properties over any text, and cost on huge inputs.
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { eachSentence, splitSentences } from "./sentences.js";

function split(text: string, language?: string): string[] {
  const spans = splitSentences(text, language === undefined ? {} : { language });
  return spans.map(({ start, end }) => text.slice(start, end));
}

/** Each case is one text written with `|` between the sentences it must be split into. */
function check(marked: string, language?: string): void {
  const sentences = marked.split("|");
  expect(split(sentences.join(" "), language)).toEqual(sentences);
}

const tables: Record<string, readonly string[]> = {
  en: [
    "Dr. Smith met Mr. Jones and Mrs. Hall at St. Louis.|They left at 5 p.m. EST.|It was late.",
    "We arrived on Jan. 5 and left in Feb.|The rest stayed.",
    "See Fig. 3 and Figs. 4 and 5 (cf. Sec. 2).|The p. 12 note is wrong.",
    "Use fruit, e.g. apples, i.e. Malus domestica.|Pears also work.",
    "Lee et al. (2019) agree with Park et al.|We do not.",
    "The U.S. Army and the U.S. government met.|He moved to the U.S.|The move was hard.",
    "Is No. 5 alive?|No.|He left.",
    "J. R. R. Tolkien and George W. Bush met J.K. Rowling.|They ate.",
    "Plan B.|Then we left.",
    "Pi is 3.14159, not 3.|Version 2.0.1-rc.1 is out.|The .NET runtime is 1.5 times faster.",
    "See https://example.com/a.b?c=D!e.f for more.|Write to a.b@example.co.uk today.",
    "Open README.md or src/index.ts.|Then run it.",
    "Wait... what?|Well…|Maybe.|I thought ... no.",
    "“Stop!” she said.|“Why?” he asked.|(It was night.)|He left (again).",
    'He said "No."|Then he left.',
    "This works.[12]|So does this.[3][4]|End.",
    "Apple Inc. Chief Tim Cook spoke.|He founded Foo Inc.|The firm grew.",
    "Buy milk, eggs, etc.|Then go home.|The list (milk, eggs, etc.) is long.",
    "It costs $5.|Is it 5 %?|Yes!|No?!|Really?!?",
    "He has a Ph.D. in physics and a B.A. from Yale.|She does not.",
    "Roe v. Wade was decided.|Foo vs. Bar too.",
    "The iPhone sold well.|iPhone users rejoiced.|fooBar() is called.",
    "Yahoo! Inc. was sold.|Wow!|Great.",
    "He lived from 1850 to 1912.|In 1912 he died.",
    "It ended at 9 a.m.|Everyone went home.",
    "Prices rose 5%.|\"Not good,\" he said.|'Bad.'",
    "I saw Doctor X Y Z.|Then I slept.|No.|I have not.|It runs on 5 V.|Strong.",
    "We show it theoretically.|(ii) We then test it.|The rate is declining.|shows it again.",
    "The data (see Table 2) are clear.|- Then a dash.",
  ],
  de: [
    "Er kam z. B. am 3. Oktober mit Dr. Müller.|Das war gut.",
    "Es gibt Äpfel, Birnen usw.|Das reicht.",
    "Die Firma, d. h. die GmbH, zahlt ca. 5 Mio. Euro.|Der Rest folgt.",
    "Im 19. Jahrhundert lebte Friedrich II.|Es war kalt.",
    "„Halt!“ rief er.|„Warum?“",
    "Vgl. Abb. 3 und S. 12 ff.|Siehe Nr. 5.",
    "Das kostet 1.000,50 Euro.|Wir zahlen bzw. überweisen.",
  ],
  fr: [
    "M. Dupont habite à Paris.|Il est né le 1er janv. 1950.",
    "Qui est-ce ?|C’est Mme Durand !|« Quoi ! » dit-il.|« Non. »|Elle part.",
    "Lancez une commande (p. ex. npm run dev).|Voilà.",
    "Voir p. 12, cf. fig. 3, etc.|La suite arrive.",
    "Au Ier siècle av. J.-C. Rome dominait.",
  ],
  es: [
    "El Sr. García y la Sra. López viven en EE. UU. desde 1990.|¿Por qué?|¡No sé!",
    "Véase la pág. 5 y el núm. 3, p. ej. el cap. 2.|Luego siga.",
    "Hay una corriente I.|¿Cuál es?|Hierve a 373,15 K.|Observe la masa m del punto B.|La función crece a 20 °C.|(a) ¿Cuál es?",
    "Ud. puede irse.|La Dra. Ruiz vino.",
  ],
  it: ["Il sig. Rossi e il dott. Bianchi, cfr. pag. 3, sono qui.|Perché?|Non so."],
  pt: ["O Sr. Silva e a Dra. Costa moram na Av. Paulista.|Veja a pág. 3.|Não sei."],
  nl: ["Dhr. Jansen kwam, d.w.z. niet alleen.|Mevr. Bakker ook, bijv. gisteren."],
  pl: ["Mieszka przy ul. Długiej, np. od 2 tys. lat.|To dużo."],
  ru: ["В 1990 г. Москва росла, т. е. строилась.|Он жил на ул. Ленина.|Почему?|Да!"],
  el: ["Τι είναι αυτό;|Είναι βιβλίο.|Δηλ. καλό, π.χ. αυτό."],
  hy: ["Սա գիրք է։|Դա տուն է։"],
  ar: ["ما اسمك؟|أنا د. أحمد.|هذا كتاب جديد."],
  ur: ["یہ کتاب ہے۔|وہ گھر ہے۔"],
  hi: ["यह किताब है।|डॉ. शर्मा आए।|क्यों?|हाँ।"],
  am: ["ይህ መጽሐፍ ነው።|ያ ቤት ነው።|ለምን፧"],
  ko: ["안녕하세요.|저는 학생입니다.|왜요?"],
  km: ["នេះជាសៀវភៅ។|នោះជាផ្ទះ។"],
  my: ["ဒါစာအုပ်ပါ။|အဲဒါအိမ်ပါ။"],
  he: ["מה שלומך?|אני בסדר.|זה ספר."],
};

describe("splitSentences", () => {
  for (const [language, cases] of Object.entries(tables)) {
    describe(language, () => {
      it.each(cases)("%s", (marked) => check(marked, language));
    });
  }
});

describe("splitSentences without a language", () => {
  it.each([
    "Der Vertrag gilt ab dem 3. Oktober und das ist, bzw. war, nicht neu.|Die Frist endet.",
    "El núm. 5 de la lista es para los Sres. García y López.|¿Por qué?",
    "Le livre de M. Dupont est dans les bacs.|Et la suite ?",
    "The talk by Dr. Jones is on Jan. 5 for the public.|Come.",
  ])("takes the abbreviations its words suggest: %s", (marked) => check(marked));

  it("takes regional tags and unknown languages", () => {
    check("Am 3. Oktober kam er.|Gut.", "de-AT");
    check("Dr. Smith came.|He left.", "xx");
  });
});

describe("splitSentences on scripts without spaces", () => {
  it("splits Chinese at full-width marks and keeps quotes with their speaker", () => {
    expect(split("你好世界。今天天气很好！你呢？“你好！”他说。我们走吧……好。")).toEqual([
      "你好世界。",
      "今天天气很好！",
      "你呢？",
      "“你好！”他说。",
      "我们走吧……好。",
    ]);
  });

  it("splits Japanese and does not break between a quote and と", () => {
    expect(
      split("これは本です。「はい。」と言った。「いいえ」です。３．１４は円周率です。"),
    ).toEqual([
      "これは本です。",
      "「はい。」と言った。",
      "「いいえ」です。",
      "３．１４は円周率です。",
    ]);
  });

  it("splits Thai at spaces between clauses long enough to stand alone", () => {
    const first = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน";
    const second = "วันนี้อากาศดีมากเราไปเที่ยวกัน";
    expect(split(`${first} ${second}`)).toEqual([first, second]);
    expect(split(`${first} และ${second}`)).toHaveLength(1);
    expect(split("สวัสดี ครับ")).toHaveLength(1);
  });
});

describe("splitSentences on lines", () => {
  it("joins hard-wrapped paragraphs, also where a line ends with an abbreviation or begins with a name", () => {
    const text = [
      "Bridle reads a document of any length and gives back its principal",
      "sentences, as chosen by the score that was used to pre-train PEGASUS. Dr.",
      "Smith wrote about it in 2019, and the people who work with",
      "Tolkien's letters read it. It runs at once.",
      "",
      "A second paragraph stands by itself and also goes over more than one",
      "line of text, as it should.",
    ].join("\n");
    expect(split(text).map((sentence) => sentence.replaceAll("\n", " "))).toEqual([
      "Bridle reads a document of any length and gives back its principal sentences, as chosen by the score that was used to pre-train PEGASUS.",
      "Dr. Smith wrote about it in 2019, and the people who work with Tolkien's letters read it.",
      "It runs at once.",
      "A second paragraph stands by itself and also goes over more than one line of text, as it should.",
    ]);
  });

  it("ends a unit at headings, with and without a blank line", () => {
    const body = [
      "The market opened quietly on Monday and rose until noon, when news of",
      "the merger came out and the shares of both companies fell by more than",
      "a tenth. Trading was halted.",
    ];
    const sentences = split(["Introduction", ...body].join("\n"));
    expect(sentences[0]).toBe("Introduction");
    expect(sentences).toHaveLength(3);
    expect(split(`# Results and outlook\n\n${body.join("\r\n")}`)).toHaveLength(3);
  });

  it("takes one item a line, bulleted, numbered or bare", () => {
    expect(split("Buy these:\n- red apples\n- green pears\n- milk")).toEqual([
      "Buy these:",
      "- red apples",
      "- green pears",
      "- milk",
    ]);
    expect(split("1. Install Node.\n2. Clone it.\n10. Run npm start.")).toEqual([
      "1. Install Node.",
      "2. Clone it.",
      "10. Run npm start.",
    ]);
    expect(split("apples\npears\nmilk")).toEqual(["apples", "pears", "milk"]);
  });

  it("keeps wrapped list items whole", () => {
    const text = [
      "* The first item is long enough that its author wrapped it at the usual",
      "  width of the page.",
      "* The second item is also long enough that its author wrapped it at the",
      "  usual width.",
    ].join("\n");
    expect(split(text)).toHaveLength(2);
  });

  it("joins quoted mail and lines that end in a linking word", () => {
    expect(
      split(
        "> Could we talk about the printer? It has been broken for two weeks\n> and nobody cares.",
      ),
    ).toHaveLength(2);
    expect(
      split("(a) You must give any other recipients of the Work or\nDerivative Works a copy; and"),
    ).toHaveLength(1);
  });

  it("joins wrapped prose among headings, tables and stray long lines", () => {
    const text = [
      "2. Related Work",
      "Automatic summarization has been studied since the 1950s. Extractive methods choose sentences",
      "from the document, as in the work of Luhn (1958), while abstractive ones generate text. Models",
      "such as PEGASUS (Zhang et al., 2020) and BART have improved the state of the art since 2019 or",
      "2020 on most benchmarks. However, they need data.",
      "2.1. Datasets",
      "Dataset Documents Words",
      "CNN/DM 312,085 781",
      "XSum 226,711 431",
      `A stray long line ${"of many words ".repeat(20)}`,
      "3. Method",
    ].join("\n");
    expect(
      split(text)
        .slice(0, 6)
        .map((sentence) => sentence.replaceAll("\n", " ")),
    ).toEqual([
      "2. Related Work",
      "Automatic summarization has been studied since the 1950s.",
      "Extractive methods choose sentences from the document, as in the work of Luhn (1958), while abstractive ones generate text.",
      "Models such as PEGASUS (Zhang et al., 2020) and BART have improved the state of the art since 2019 or 2020 on most benchmarks.",
      "However, they need data.",
      "2.1. Datasets",
    ]);
    expect(split(text).slice(6, 9)).toEqual([
      "Dataset Documents Words",
      "CNN/DM 312,085 781",
      "XSum 226,711 431",
    ]);
  });

  it("takes dialogue turns one a line", () => {
    const text =
      "Doctor: How are you, and what brings you in today? Is it the knee\nPatient: Yes.\nDoctor: I see. Let me look.";
    expect(split(text)).toEqual([
      "Doctor: How are you, and what brings you in today?",
      "Is it the knee",
      "Patient: Yes.",
      "Doctor: I see.",
      "Let me look.",
    ]);
  });

  it("takes one paragraph a line, however long, without joining them", () => {
    const long = "word ".repeat(60).trim();
    expect(split(`${long}\nsecond ${long}\nThird ${long}`)).toHaveLength(3);
  });

  it("joins wrapped Chinese", () => {
    const text =
      "机器学习是人工智能的一个分支，它研究如何让计算机从数\n据中学习规律并用于预测，近年来取得了很大的进展，被广\n泛使用。它很有用。";
    expect(split(text)).toHaveLength(2);
  });

  it("splits all-lowercase talk", () => {
    expect(split("i am fine. how are you? see you")).toEqual([
      "i am fine.",
      "how are you?",
      "see you",
    ]);
  });

  it("numbers inside a line do not stand alone", () => {
    expect(split("Do this. 1. Open it. 2. Close it.")).toEqual([
      "Do this.",
      "1. Open it.",
      "2. Close it.",
    ]);
  });
});

const pieces = fc.constantFrom(
  ..."Dr. |e.g. |The |cat |. |.|! |? |... |… |\n|\n\n|\r\n|\u2029|1. |- |“|”|(|)|[|]|。|、|你好|ก |ข้อความ |🙂|\ud800|3.14|J. |U.S. |:|; |Ա։ |\u0000|\t| "
    .split("|")
    .concat("|"),
);
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.array(pieces, { maxLength: 80 }).map((parts) => parts.join("")),
);

describe("splitSentences on any text", () => {
  it("gives ascending, trimmed, non-empty spans that hold every character but white space", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let at = 0;
        for (const { start, end } of splitSentences(text)) {
          expect(start).toBeGreaterThanOrEqual(at);
          expect(end).toBeGreaterThan(start);
          expect(text.slice(at, start)).toMatch(/^[\s\u0085]*$/);
          expect(text.slice(start, end)).toMatch(/^[^\s\u0085](?:[\s\S]*[^\s\u0085])?$/);
          at = end;
        }
        expect(text.slice(at)).toMatch(/^[\s\u0085]*$/);
      }),
      { numRuns: 500 },
    );
  });

  it("never cuts a surrogate pair and gives the same spans each time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
        const spans = splitSentences(text);
        expect(splitSentences(text)).toEqual(spans);
        for (const { start, end } of spans) expect(text.slice(start, end)).not.toMatch(/\p{Cs}/u);
      }),
    );
  });

  it("gives nothing for blank text", () => {
    expect(splitSentences("")).toEqual([]);
    expect(splitSentences(" \n\t\u00a0\u3000\r\n")).toEqual([]);
  });
});

describe("splitSentences on huge texts", () => {
  it("keeps one word of 1 MB whole", () => {
    const text = "x".repeat(1_000_000);
    expect(splitSentences(text)).toEqual([{ start: 0, end: text.length }]);
  });

  it("finds the first sentences without reading on to the last", () => {
    const lines = 10_000;
    const text = "It rained all day. The harbour was closed.\n".repeat(lines);
    const { charCodeAt } = String.prototype;
    const looked = { atFirst: 0, atAll: 0 };
    let which: keyof typeof looked = "atFirst";
    const spy = vi.spyOn(String.prototype, "charCodeAt").mockImplementation(function (
      this: string,
      at,
    ) {
      looked[which] += 1;
      return charCodeAt.call(this, at);
    });
    const first = eachSentence(text).next().value;
    which = "atAll";
    const all = splitSentences(text);
    spy.mockRestore();
    expect(first).toEqual({ start: 0, end: "It rained all day.".length });
    expect(all).toHaveLength(2 * lines);
    // Where lines end is looked for at once, where sentences do is not.
    expect(looked.atFirst).toBeLessThan(looked.atAll / 2);
  });

  it("cuts talk without punctuation into stretches of at most 3,000 characters", () => {
    const text = "so then we went on and on ".repeat(2_000).trim();
    const spans = splitSentences(text);
    expect(spans.length).toBeGreaterThanOrEqual(text.length / 3_000);
    for (const { start, end } of spans) expect(end - start).toBeLessThanOrEqual(3_000);
  });

  it("joins wrapped lines across windows of lines", () => {
    const line = "the line goes on without an end to its sentence and so it must be joined\n";
    const spans = splitSentences(line.repeat(3_000));
    // Only the cap on length may cut it.
    expect(spans.length).toBeLessThan((line.length * 3_000) / 1_400);
    for (const { start, end } of spans.slice(0, -1)) expect(end - start).toBeGreaterThan(1_400);
  });
});
