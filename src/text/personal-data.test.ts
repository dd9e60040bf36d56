// Hints at personal data: what is found, and what only looks like it.
import { describe, expect, it } from "vitest";
import { findPersonalData } from "./personal-data.js";

describe("hints at personal data", () => {
  it.each([
    ["Write to jane.doe+news@mail.example.co.uk or müller@straße.de.", { email: 2 }],
    ["Call +49 (0)30 123456-78 or +1 415 555 2671.", { phone: 2 }],
    ["Call (415) 555-2671, 415-555-2671 or 415.555.2671.", { phone: 3 }],
    ["Card 4111 1111 1111 1111, 5500-0000-0000-0004, 378282246310005", { card: 3 }],
    ["IBAN DE89 3704 0044 0532 0130 00 AND GB29NWBK60161331926819.", { iban: 2 }],
    ["NO9386011117947", { iban: 1 }],
    ["From 8.8.8.8 and 2606:4700:4700::1111, 2001:4860:4860:0:0:0:0:8888.", { ipAddress: 3 }],
    ["His number is 219-09-9999.", { socialSecurity: 1 }],
    [
      `AKIA${"A1B2".repeat(4)} ghp_${"a1B2".repeat(9)} -----BEGIN RSA PRIVATE KEY-----`,
      { secret: 3 },
    ],
  ])("%j", (text, found) => {
    expect(findPersonalData(text)).toEqual(found);
  });

  it.each([
    "In 1999-2000 the 20 000 ships of 12-34-5678 brought 1 234 567 890 tons on 2024-11-26 at 12:30:45.",
    "Card 4111 1111 1111 1112, 0000 0000 0000 0000, order 1234567890123456",
    "IBAN DE89 3704 0044 0532 0130 01, XX89 3704 0044 0532 0130 00",
    "Version 1.2.3.4, v10.0.19041.1, 127.0.0.1, 192.168.0.1, 10.1.2.3, 203.0.113.9, fe80::1, ::1",
    "std::vector, a::b, dead:beef, 1.2.3.4.5, ISBN 978-3-16-148410-0",
    "2+2=4, @home, me@home, 000-12-3456, 666-12-3456",
    "",
  ])("none in %j", (text) => {
    expect(findPersonalData(text)).toBeUndefined();
  });

  it("takes no text long that is made to", () => {
    // Each would take minutes if a pattern went back over what it had read.
    for (const text of [
      "a".repeat(300_000),
      "1 ".repeat(200_000),
      "+1 ".repeat(100_000),
      `${"a.".repeat(150_000)}@`,
      "AB12 ".repeat(60_000),
      ":1".repeat(150_000),
    ]) {
      findPersonalData(`${text} x@`);
    }
  });
});
