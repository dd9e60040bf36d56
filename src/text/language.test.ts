// Language detection: a sentence in each of several languages, samples of long texts, and texts without a language.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectLanguage } from "./language.js";

describe("detectLanguage", () => {
  it.each([
    ["en", "The committee decided to postpone the meeting until the weather improves."],
    ["de", "Der Ausschuss hat beschlossen, die Sitzung auf nächste Woche zu verschieben."],
    ["fr", "Le comité a décidé de reporter la réunion à la semaine prochaine."],
    ["es", "El comité decidió aplazar la reunión hasta la próxima semana por la lluvia."],
    ["it", "Il comitato ha deciso di rinviare la riunione alla prossima settimana."],
    ["pt", "A comissão decidiu adiar a reunião para a próxima semana, não por causa da chuva."],
    ["nl", "De commissie heeft besloten om de vergadering uit te stellen tot volgende week."],
    ["da", "Udvalget besluttede at udsætte mødet til næste uge på grund af vejret."],
    ["pl", "Komitet postanowił przełożyć spotkanie na przyszły tydzień."],
    ["ru", "Комитет решил перенести заседание на следующую неделю."],
    ["ar", "قررت اللجنة تأجيل الاجتماع إلى الأسبوع المقبل."],
    ["zh", "委员会决定将会议推迟到下周举行。"],
    ["ja", "委員会は会議を来週まで延期することを決めました。"],
    ["ko", "위원회는 회의를 다음 주로 연기하기로 결정했습니다."],
    ["hi", "भारत एक विशाल देश है जहाँ अनेक भाषाएँ बोली जाती हैं।"],
    ["th", "คณะกรรมการตัดสินใจเลื่อนการประชุมไปเป็นสัปดาห์หน้า"],
  ])("%s", async (language, text) => {
    expect(await detectLanguage(text)).toEqual({ language, reliable: true });
  });

  it.each(["", "  \n", "12345 67.8", "!!! ???", "🙂🙂"])("has no language for %j", async (text) => {
    expect(await detectLanguage(text)).toEqual({ language: undefined, reliable: false });
  });

  it("is not misled by a foreign preface to a long text", async () => {
    const preface =
      "Vorwort: Der Verfasser dankt allen, die ihm bei der Arbeit geholfen haben. ".repeat(14);
    const body = "The experiment was repeated several times under the same conditions. ".repeat(
      200,
    );
    expect((await detectLanguage(preface + body)).language).toBe("en");
  });

  it("reads a bounded part of a huge word and answers for any text", async () => {
    await expect(detectLanguage("x".repeat(1_000_000))).resolves.toBeDefined();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
        const { language } = await detectLanguage(text);
        expect(language === undefined || /^[a-z]{2}$/.test(language)).toBe(true);
      }),
    );
  });
});
