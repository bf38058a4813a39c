/**
 * Golden files: what each version of this program stored can be read, and is what it was. Nothing is stored that has no
 * golden file.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { type BackupLine, backupVersion } from "../../core/journal/copy/lines.ts"
import { readSecrets } from "../../core/journal/secrets.ts"
import { runVersions } from "../../core/machine/run/versions.ts"
import type { Upgrader, Versions } from "../../core/machine/versions.ts"
import { folder } from "../journal/logs.ts"
import { machineHistory } from "../journal/random-histories-machines.ts"
import { traits, uncovered } from "./coverage.ts"
import { readsOfBackup } from "./examples/backup.ts"
import { backupFile, examplesIn, golden, names, plain } from "./files.ts"
import { factTypes, type Kind, kinds, type Machine, machines } from "./kinds.ts"

const versionsOf = ({ newest }: Kind) => Array.from({ length: newest }, (_, index) => index + 1)

/** Entries of a table of upgraders that are of no fact type of the machine. */
const strangers = (machine: Machine, versions: Versions = machine.versions) =>
  Object.keys(versions.facts).filter((type) => !factTypes(machine).has(type))

describe("golden files", () => {
  it("are there for every version of every kind, and for nothing else", () => {
    const expected = kinds.flatMap((kind) => versionsOf(kind).map((version) => `${kind.name}.v${version}`))
    expect(names(), "examples/ and write.ts make what is missing").toEqual(expected.sort())
  })

  it("are of each record type, each fact type and each head there is", () => {
    expect(kinds.map(({ name }) => name)).toEqual(expect.arrayContaining(["journal/pin", "run/created", "inbox/head"]))
    expect(kinds.filter(({ name }) => name.startsWith("journal/"))).toHaveLength(6)
    for (const machine of machines) {
      expect(machine.facts.schema.members, `two facts of one type in ${machine.name}`).toHaveLength(
        factTypes(machine).size
      )
    }
  })
})

for (const kind of kinds) {
  describe(kind.name, () => {
    for (const version of versionsOf(kind)) {
      it(`of version ${version} is read as what stands beside it`, () => {
        const examples = examplesIn(kind, version) ?? []
        expect(examples.length).toBeGreaterThan(0)
        for (const { reads, stored } of examples) {
          expect(plain(kind.read(stored)), JSON.stringify(stored)).toEqual(reads)
        }
      })
    }

    const { schema } = kind
    if (schema !== undefined) {
      it("has an example of each part of its schema", () => {
        const examples = examplesIn(kind, kind.newest) ?? []
        expect(uncovered(schema, examples.map(({ stored }) => kind.read(stored)))).toEqual([])
      })
    }
  })
}

describe("versions of facts and heads", () => {
  for (const machine of machines) {
    it(`of ${machine.versions.machine} are what their schemas say`, () => {
      for (const [type, { fields }] of factTypes(machine)) {
        expect(fields.v.literal, type).toBe((machine.versions.facts[type]?.length ?? 0) + 1)
      }
      for (const head of machine.head.examples()) expect(head).toMatchObject({ v: machine.versions.head.length + 1 })
    })

    it(`of ${machine.versions.machine} are of facts there are`, () => expect(strangers(machine)).toEqual([]))
  }

  it("see an upgrader of a fact that there is not", () => {
    const upgrade: Upgrader = (fact) => fact
    const [run] = machines
    if (run === undefined) throw new Error("no machine")
    expect(strangers(run, { ...runVersions, facts: { created: [upgrade], craeted: [upgrade] } })).toEqual(["craeted"])
  })
})

describe("golden heads", () => {
  const newest = (machine: Machine) => {
    const kind = kinds.find(({ name }) => name === `${machine.name}/head`)
    return kind === undefined ? [] : examplesIn(kind, kind.newest) ?? []
  }

  for (const machine of machines) {
    it(`of ${machine.versions.machine} are written again as they were`, () => {
      for (const { stored } of newest(machine)) {
        expect(plain(machine.head.read(stored))).toMatchObject({ again: stored })
      }
    })
  }

  it.live("have all that the heads of machines at work have", () =>
    Effect.gen(function*() {
      const known = new Map(machines.map((machine) =>
        [machine.name, new Set(newest(machine).flatMap(({ stored }) => traits(stored)))] as const
      ))
      const looked = new Set<string>()
      for (const seed of [1, 2, 3]) {
        const { history } = yield* machineHistory(seed)
        for (const [name, entries] of history) {
          const kind = name.replace(/\/.*/, "")
          looked.add(kind)
          for (const entry of entries) {
            const unknown = traits(plain(entry.snapshot())).filter((trait) =>
              known.get(kind)?.has(trait) !== true
            )
            expect(unknown, `${name} ${entry.revision}`).toEqual([])
          }
        }
      }
      expect([...looked].sort()).toEqual(["inbox", "mob", "run"])
    }))
})

describe("backups", () => {
  const versions = Array.from({ length: backupVersion }, (_, index) => index + 1)
  const types: { readonly [type in BackupLine["type"]]: true } = {
    header: true,
    mob: true,
    head: true,
    entry: true,
    blob: true,
    definition: true,
    secrets: true,
    end: true
  }

  for (const name of ["plain", "secrets"] as const) {
    for (const version of versions) {
      it.live(`of version ${version}, ${name}, are restored to what stands beside them`, () =>
        Effect.gen(function*() {
          const file = backupFile(name, version)
          expect(plain(yield* readsOfBackup(file))).toEqual(JSON.parse(fs.readFileSync(`${file}.json`, "utf8")))
        }))
    }
  }

  it("have lines of every type", () => {
    const lines = fs.readFileSync(backupFile("secrets", backupVersion), "utf8").trimEnd().split("\n")
    const found = lines.map((line) => (JSON.parse(line) as BackupLine).type)
    expect(new Set(found)).toEqual(new Set(Object.keys(types)))
  })
})

describe("a file of secrets", () => {
  it.live("of version 1 is read", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      fs.copyFileSync(golden("secrets/v1.json"), join(dir, "secrets.json"))
      fs.chmodSync(join(dir, "secrets.json"), 0o600)
      expect(yield* readSecrets(dir)).toEqual({ API_KEY: "hunter2 \u2028 ünicode 😀", OTHER: "" })
    }))
})
