/**
 * Names and texts of a tree are bytes, not characters. They travel as *escaped bytes* (MEASURES.md): plain ASCII stands
 * for itself, everything else is `%` and two hex digits. `/` and `.` are never escaped, so paths can be taken apart in
 * this form.
 */

/** Bytes in escaped form. */
export const escapeBytes = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25 && byte !== 0x22 && byte !== 0x5c
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }
  return text
}

/** The bytes that an escaped text stands for. */
export const unescapeBytes = (text: string): Buffer =>
  Buffer.from(text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), "latin1")

/** Order of two escaped texts by the bytes they stand for. */
export const compareBytes = (a: string, b: string): number =>
  // Without an escape in either, code units are the bytes.
  a.includes("%") || b.includes("%") ? Buffer.compare(unescapeBytes(a), unescapeBytes(b)) : a < b ? -1 : a > b ? 1 : 0

// Control characters, separators other than space, bidirectional marks and what is not assigned would change the page.
const unsafe = /[\p{C}\p{Zl}\p{Zp}]|[^\P{Zs} ]/u

/**
 * An escaped text for people: quotes, backslashes and the characters that its bytes spell in UTF-8 are shown, as far as
 * they can be printed; every other byte stays escaped, `%` too, so that no two texts look the same.
 */
export const display = (text: string): string =>
  text.replace(/%22|%5C|(?:%[89A-F][0-9A-F])+/g, (run) => {
    const decoded = unescapeBytes(run).toString("utf8")
    return decoded.includes("\ufffd") || unsafe.test(decoded) ? run : decoded
  })
