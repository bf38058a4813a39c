import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ownedName } from "../../core/journal/owned.ts"
import { changeSecrets, readSecrets, writeSecret } from "../../core/journal/secrets.ts"
import { ofDeadProcess } from "./copy/dead.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "secrets-"))),
  (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true }))
)

describe("secrets", () => {
  it.effect("none are there before one is set; one that is set is read by the next reader, and only by its owner", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      assert.deepStrictEqual(yield* readSecrets(dir), {})
      yield* writeSecret(dir, "API_KEY", "k1")
      yield* writeSecret(dir, "OTHER", "line\nbreak ✓")
      assert.deepStrictEqual(yield* readSecrets(dir), { API_KEY: "k1", OTHER: "line\nbreak ✓" })
      assert.strictEqual(fs.statSync(join(dir, "secrets.json")).mode & 0o777, 0o600)
      assert.strictEqual(fs.statSync(dir).mode & 0o777, 0o700)
      yield* writeSecret(dir, "API_KEY", undefined)
      assert.deepStrictEqual(yield* readSecrets(dir), { OTHER: "line\nbreak ✓" })
      assert.deepStrictEqual(fs.readdirSync(dir), ["secrets.json"])
    }))

  it.effect("a file that others may read is refused, and left as it is", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* writeSecret(dir, "API_KEY", "k1")
      fs.chmodSync(join(dir, "secrets.json"), 0o640)
      const before = fs.readFileSync(join(dir, "secrets.json"), "utf8")
      for (const use of [readSecrets(dir), writeSecret(dir, "API_KEY", "k2")]) {
        const error = yield* Effect.flip(use)
        assert.strictEqual(error.code, "SECRETS_UNSAFE")
        assert.include(error.message, "640")
        assert.notInclude(error.message, "k1")
      }
      assert.strictEqual(fs.readFileSync(join(dir, "secrets.json"), "utf8"), before)
    }))

  it.effect("what is no file of secrets is refused without a word of what it holds", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const file = join(dir, "secrets.json")
      for (
        const text of [
          "",
          "{}",
          "[1]",
          "{\"v\":1,\"secrets\":{\"bad name\":\"x\"}}",
          "{\"v\":2,\"secrets\":{}}",
          "hunter2"
        ]
      ) {
        fs.writeFileSync(file, text, { mode: 0o600 })
        const error = yield* Effect.flip(readSecrets(dir))
        assert.strictEqual(error.code, "SECRETS_UNSAFE")
        assert.notInclude(error.message, "hunter2")
      }
      fs.rmSync(file)
      fs.symlinkSync("/dev/null", file)
      assert.strictEqual((yield* Effect.flip(readSecrets(dir))).code, "DATA_FOLDER_UNUSABLE")
    }))

  it.live("many that are set at once are all there, and nothing else is left", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const names = Array.from({ length: 20 }, (_, index) => `KEY_${index}`)
      yield* Effect.forEach(names, (name) => writeSecret(dir, name, name), { concurrency: "unbounded" })
      assert.deepStrictEqual(Object.keys(yield* readSecrets(dir)).sort(), names.toSorted())
      assert.deepStrictEqual(fs.readdirSync(dir), ["secrets.json"])
    }))

  it.effect("are not changed while another process changes them, and what a killed one left is no hindrance", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const file = join(dir, "secrets.json")
      yield* writeSecret(dir, "API_KEY", "k1")
      const claim = ownedName(file, "lock")
      fs.writeFileSync(claim, "")
      const waiting = yield* Effect.forkChild(Effect.flip(writeSecret(dir, "API_KEY", "k2")))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(waiting)).code, "SECRETS_BUSY")
      assert.deepStrictEqual({ ...(yield* readSecrets(dir)) }, { API_KEY: "k1" })

      fs.renameSync(claim, ofDeadProcess(claim))
      // It was killed between writing and renaming.
      fs.writeFileSync(`${file}.new`, "{\"v\":1,\"secrets\":{\"GONE\":\"hunter2\"}}\n", { mode: 0o600 })
      yield* changeSecrets(dir, (secrets) => secrets)
      assert.deepStrictEqual(fs.readdirSync(dir), ["secrets.json"])
      assert.deepStrictEqual({ ...(yield* readSecrets(dir)) }, { API_KEY: "k1" })
    }))

  it.effect("may have names that objects have of themselves", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const names = ["constructor", "toString", "__proto__"]
      for (const name of names) {
        assert.isUndefined((yield* readSecrets(dir))[name])
        yield* writeSecret(dir, name, `value of ${name}`)
        assert.strictEqual((yield* readSecrets(dir))[name], `value of ${name}`)
      }
      assert.deepStrictEqual(Object.keys(yield* readSecrets(dir)), names)
      yield* writeSecret(dir, "__proto__", undefined)
      assert.deepStrictEqual(Object.keys(yield* readSecrets(dir)), ["constructor", "toString"])
    }))
})
