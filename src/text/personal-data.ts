// Hints at personal data and secrets in a text, by their form and, where they have one, their check digits.
import { isIPv6 } from "node:net";

export const personalKinds = [
  "email",
  "phone",
  "card",
  "iban",
  "ipAddress",
  "socialSecurity",
  "secret",
] as const;

/**
 * - `email`. `phone`: international numbers with +, and North American ones. `card`: payment cards, by Luhn's check.
 * - `iban`: bank accounts, by length and check digits. `ipAddress`: public IPv4 and IPv6 addresses.
 * - `socialSecurity`: of the United States. `secret`: keys of well-known services, private keys, web tokens.
 */
export type PersonalKind = (typeof personalKinds)[number];

/** Lengths of the IBANs of each country. Source: SWIFT, IBAN Registry, release 99. */
const ibanLengths: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 " +
    "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 " +
    "LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 " +
    "ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
  )
    .split(" ")
    .map((word) => [word.slice(0, 2), Number(word.slice(2))]),
);

/** Source: ISO 13616: moved to the end, letters as 10..35, the number leaves 1 by 97. */
function isIban(candidate: string): boolean {
  const length = ibanLengths[candidate.slice(0, 2)];
  const compact = candidate.replaceAll(" ", "");
  if (length === undefined || compact.length < length) return false;
  const iban = compact.slice(0, length);
  let rest = 0;
  for (const sign of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(sign, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** First digits and lengths of card networks. */
const networks =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|6\d{15,18})$/;

/** Source: ISO/IEC 7812-1, annex B. */
function isCard(candidate: string): boolean {
  const digits = candidate.replaceAll(/\D/g, "");
  if (!networks.test(digits)) return false;
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = Number(digits[digits.length - 1 - at]);
    const doubled = at % 2 === 1 ? 2 * digit : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isPhone(candidate: string): boolean {
  const digits = candidate.replaceAll(/\D/g, "").length;
  return digits >= 8 && digits <= 15;
}

/** Addresses that name no machine of anybody's: private, local and reserved ones. */
function isPublicV4(candidate: string): boolean {
  const parts = candidate.split(".").map(Number);
  const [a = 0, b = 0, c = 0] = parts;
  if (parts.some((part) => part > 255) || a === 0 || a === 10 || a === 127 || a >= 224)
    return false;
  if ((a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254)) {
    return false;
  }
  const documented = [192 * 65536 + 2, 198 * 65536 + 51 * 256 + 100, 203 * 65536 + 113];
  return !documented.includes(a * 65536 + b * 256 + c);
}

function isPublicV6(candidate: string): boolean {
  return isIPv6(candidate) && !/^(::|fe80:|f[cd]|2001:0?db8:)/i.test(candidate);
}

/** What an earlier one finds no later one sees. Every pattern takes a bounded number of steps from each place, so that no text is slow. */
const patterns: readonly {
  readonly kind: PersonalKind;
  readonly pattern: RegExp;
  readonly holds?: (candidate: string) => boolean;
}[] = [
  {
    kind: "secret",
    pattern:
      /\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bhf_[A-Za-z0-9]{34}|\bxox[abprs]-[A-Za-z0-9-]{10,60}|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----|\beyJ[\w-]{10,200}\.eyJ[\w-]{10,400}\./g,
  },
  { kind: "email", pattern: /[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}/gu },
  {
    kind: "iban",
    pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b/g,
    holds: isIban,
  },
  {
    kind: "phone",
    pattern: /(?<![\p{L}\p{N}])\+\d[\d ().\u00a0/-]{5,20}\d(?!\d)/gu,
    holds: isPhone,
  },
  { kind: "phone", pattern: /(?<![\w.+-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])/g },
  { kind: "card", pattern: /(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])/g, holds: isCard },
  {
    kind: "ipAddress",
    pattern: /(?<![\d.vV]|[Vv]ersion )(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)/g,
    holds: isPublicV4,
  },
  { kind: "ipAddress", pattern: /(?<![\w:.])[0-9a-f:]{6,39}(?![\w:])/gi, holds: isPublicV6 },
  {
    kind: "socialSecurity",
    pattern: /(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g,
  },
];

/** What nearly every text without any of these lacks: an at sign, four digits in a row of digits and signs, a key's beginning. */
const likely =
  /@|\d[\d ().\u00a0/:-]{0,3}\d[\d ().\u00a0/:-]{0,3}\d[\d ().\u00a0/:-]{0,3}\d|::|[0-9a-f]:[0-9a-f]|AKIA|gh[pousr]_|hf_|xox|-----BEGIN|eyJ/;

/**
 * How many hints of each kind a text has; undefined where there are none. What they say is not kept. They are hints: a
 * number may look like a card's, and names and addresses are not looked for.
 */
export function findPersonalData(text: string): Partial<Record<PersonalKind, number>> | undefined {
  if (!likely.test(text)) return undefined;
  const found: Partial<Record<PersonalKind, number>> = {};
  let rest = text;
  for (const { kind, pattern, holds } of patterns) {
    rest = rest.replace(pattern, (candidate: string) => {
      if (holds !== undefined && !holds(candidate)) return candidate;
      found[kind] = (found[kind] ?? 0) + 1;
      return "*";
    });
  }
  return Object.keys(found).length === 0 ? undefined : found;
}
