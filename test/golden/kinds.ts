/**
 * Everything that is stored as JSON, by kind: each record type of the journal, each fact type and the head of each
 * machine. A kind says which version is its newest, how one of any version is read, and what of it there is today. The
 * list is made from the product's own tables and schemas, so that nothing can be stored without being here.
 */
import { Schema } from "effect"
import { parseEntry, unsealBlock } from "../../core/journal/block.ts"
import { unsealCheckpoint } from "../../core/journal/checkpoint.ts"
import { unsealHead } from "../../core/journal/head.ts"
import { aggregateOf, type Key, mobOf, type RecordType } from "../../core/journal/keys.ts"
import { unsealMeta, unsealMob } from "../../core/journal/registry.ts"
import { unseal } from "../../core/journal/seal.ts"
import { recordVersions } from "../../core/journal/versions.ts"
import { InboxFact } from "../../core/machine/inbox/facts.ts"
import {
  decodeInbox,
  decodeInboxFact,
  encodeInbox,
  nextDeadline as nextWorkDeadline
} from "../../core/machine/inbox/index.ts"
import { inboxVersions } from "../../core/machine/inbox/versions.ts"
import { MobFact } from "../../core/machine/mob/facts.ts"
import { decodeMob, decodeMobFact, encodeMob, nextRestart, rosterView } from "../../core/machine/mob/index.ts"
import { mobVersions } from "../../core/machine/mob/versions.ts"
import { RunFact } from "../../core/machine/run/fact.ts"
import { decodeRun, decodeRunFact, encodeRun, nextDeadline, unfinished } from "../../core/machine/run/index.ts"
import { runVersions } from "../../core/machine/run/versions.ts"
import type { Versions } from "../../core/machine/versions.ts"
import { Definition } from "../../sdk/definition/index.ts"
import type { Json, JsonObject } from "../../sdk/json.ts"
import { inboxFacts, inboxHeads } from "./examples/inbox.ts"
import { records } from "./examples/journal.ts"
import { mobFacts, mobHeads } from "./examples/mob.ts"
import { runFacts, runHeads } from "./examples/run.ts"

/** One kind of what is stored. */
export interface Kind {
  /** Where its golden files stand: `run/created`. */
  readonly name: string
  readonly newest: number
  /** What one that is stored, in any version up to the newest, is read as. Throws on anything else. */
  readonly read: (stored: Json) => unknown
  /** Some of the newest version, as they are stored, with all that there can be in them. */
  readonly examples: () => ReadonlyArray<Json>
  /** What they are decoded by, when there is a schema: each part of it has an example. */
  readonly schema?: Schema.Constraint
}

/** The facts of a machine. */
interface Facts {
  readonly schema: { readonly members: ReadonlyArray<Schema.Constraint & { readonly fields: FactFields }> }
  readonly decode: (stored: JsonObject) => { readonly type: string }
  readonly examples: ReadonlyArray<{ readonly type: string }>
}

/** What every fact has. */
interface FactFields {
  readonly v: { readonly literal: number }
  readonly type: { readonly literal: string }
}

/** A machine that stores. */
export interface Machine {
  readonly name: string
  readonly versions: Versions
  readonly facts: Facts
  readonly head: Pick<Kind, "read" | "examples">
}

export const machines: ReadonlyArray<Machine> = [
  {
    name: "run",
    versions: runVersions,
    facts: { schema: RunFact, decode: decodeRunFact, examples: runFacts },
    head: {
      read: (stored) => {
        const state = decodeRun(stored)
        return { again: encodeRun(state), next_deadline: nextDeadline(state), unfinished: unfinished(state) }
      },
      examples: runHeads
    }
  },
  {
    name: "mob",
    versions: mobVersions,
    facts: { schema: MobFact, decode: decodeMobFact, examples: mobFacts },
    head: {
      read: (stored) => {
        const state = decodeMob(stored)
        const roster = [...rosterView(state).members.values()].map(({ fence, identity, phase }) =>
          `${identity} ${phase} ${fence}`
        )
        return { again: encodeMob(state), next_restart: nextRestart(state), roster, keys: [...state.keys] }
      },
      examples: mobHeads
    }
  },
  {
    name: "inbox",
    versions: inboxVersions,
    facts: { schema: InboxFact, decode: decodeInboxFact, examples: inboxFacts },
    head: {
      read: (stored) => {
        const state = decodeInbox(stored)
        return { again: encodeInbox(state), next_deadline: nextWorkDeadline(state), keys: [...state.keys] }
      },
      examples: inboxHeads
    }
  }
]

/** What the facts of each machine are, by type. */
export const factTypes = ({ facts }: Machine): ReadonlyMap<string, Machine["facts"]["schema"]["members"][number]> =>
  new Map(facts.schema.members.map((member) => [member.fields.type.literal, member]))

/** How records are read, by type: all of them by their own decoder, a pin as the definition that it holds. */
const readers: { readonly [type in RecordType]: (key: Key, value: string) => unknown } = {
  meta: (_, value) => unsealMeta(value),
  mob: (key, value) => ({ mob: mobOf(key), ...unsealMob(key, value) }),
  block: (key, value) => {
    const { lines, ...block } = unsealBlock(key, value)
    return { ...block, entries: lines.map(parseEntry) }
  },
  head: (key, value) => {
    const { text, ...head } = unsealHead(key.readUInt32BE(1), aggregateOf(key), value)
    return { aggregate: aggregateOf(key), ...head, state: JSON.parse(text) as Json }
  },
  checkpoint: (key, value) => unsealCheckpoint(key.readUInt32BE(1), value),
  pin: (key, value) => Schema.decodeUnknownSync(Definition)(JSON.parse(unseal(key, value).body))
}

/** A record as a golden file has it. */
const Stored = Schema.Struct({ key: Schema.String, value: Schema.String })

const recordKinds = (Object.keys(recordVersions) as ReadonlyArray<RecordType>).map((type): Kind => ({
  name: `journal/${type}`,
  newest: recordVersions[type].length + 1,
  read: (stored) => {
    const { key, value } = Schema.decodeUnknownSync(Stored)(stored)
    return readers[type](Buffer.from(key, "hex"), value)
  },
  examples: records[type],
  ...(type === "pin" ? { schema: Definition } : {})
}))

const machineKinds = (machine: Machine): ReadonlyArray<Kind> => {
  const { facts, head, name, versions } = machine
  return [
    ...Array.from(factTypes(machine), ([type, schema]): Kind => ({
      name: `${name}/${type}`,
      newest: (versions.facts[type]?.length ?? 0) + 1,
      // A golden file of facts holds objects.
      read: (stored) => facts.decode(stored as JsonObject),
      // Facts are JSON by their schemas.
      examples: () => facts.examples.filter((it) => it.type === type) as unknown as ReadonlyArray<Json>,
      schema
    })),
    { name: `${name}/head`, newest: versions.head.length + 1, ...head }
  ]
}

/** Every kind. */
export const kinds: ReadonlyArray<Kind> = [...recordKinds, ...machines.flatMap(machineKinds)]
