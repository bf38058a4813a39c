import { expect, it } from "@effect/vitest"
import { MemberLog } from "../../plugins/subprocess/log.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

it("the last twenty lines are kept, and an unfinished one counts", () => {
  const log = new MemberLog(() => {})
  log.bytes(bytes(Array.from({ length: 50 }, (_, n) => `line ${n}\n`).join("")))
  log.bytes(bytes("and then"))
  expect(log.total).toBe(50)
  expect(log.last).toEqual([...Array.from({ length: 19 }, (_, n) => `line ${n + 31}`), "and then"])
})

it("lines are whole however their bytes arrive, and long ones are cut", () => {
  const passed: Array<string> = []
  const log = new MemberLog((line) => passed.push(line))
  for (const byte of bytes("gr\u00fc\u00dfe\n")) log.bytes(Uint8Array.of(byte))
  for (let n = 0; n < 100; n++) log.bytes(bytes("x".repeat(100)))
  log.bytes(bytes("\nnext\n"))
  expect(passed).toEqual(["gr\u00fc\u00dfe", `${"x".repeat(1000)}...`, "next"])
})

it("a flood is passed on at a rate, and counted whole", () => {
  let passed = 0
  const log = new MemberLog(() => passed += 1)
  for (let n = 0; n < 5000; n++) log.line("x")
  log.bytes(bytes("y\n".repeat(4999) + "z\n"))
  expect(passed).toBeGreaterThanOrEqual(100)
  expect(passed).toBeLessThan(1000)
  expect(log.total).toBe(10_000)
  expect(log.last).toEqual([...Array.from({ length: 19 }, () => "y"), "z"])
})
