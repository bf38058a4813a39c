/**
 * The world of the model: what is on disk, what the host has in memory, what is on its way, what the member processes
 * are doing, and what was promised to clients.
 *
 * Machine states and messages are immutable and shared between worlds; `copyWorld` copies only what holds them.
 */
import { HashMap } from "effect"
import { Buckets, Recent } from "../../core/machine/buckets.ts"
import type { DoorState } from "../../core/machine/door/index.ts"
import type { InboxFact, InboxState } from "../../core/machine/inbox/index.ts"
import type { MobFact, MobState } from "../../core/machine/mob/index.ts"
import type { Send, ToDoor, ToInbox, ToMob, ToOwner, ToRun } from "../../core/machine/protocol.ts"
import type { Fence, Identity, InputId, RunId } from "../../sdk/ids.ts"
import type { Plan, RunFactLike } from "./run-owner.ts"

/** How a member keeps outcomes; a remote one outlives the host. */
export interface MemberKind {
  readonly keeps: "none" | "memory" | "durable"
  readonly remote: boolean
}

/** Faults and commands that may happen, and how often. */
export interface Budget {
  /** The host dies, with the batch in flight lost or on disk. */
  readonly crash: number
  /** A commit fails, with its batch lost or on disk. */
  readonly fail: number
  /** A member's process dies. */
  readonly member: number
  /** A member's process is given up, but lives on unseen until the next one is bound. */
  readonly zombie: number
  /** A run's cell crashes. */
  readonly runCell: number
  /** A member's cell crashes, with its door. */
  readonly memberCell: number
  /** A member says something twice. */
  readonly duplicate: number
  readonly timeout: number
  readonly cancel: number
  readonly retire: number
  readonly spawn: number
  readonly broken: number
  readonly stop: number
  readonly resume: number
  readonly complete: number
}

/** One configuration to explore. */
export interface Config {
  readonly runs: ReadonlyArray<Plan>
  readonly members: ReadonlyArray<MemberKind>
  /** Members that get one piece of work each. */
  readonly submits: ReadonlyArray<Identity>
  readonly budget: Partial<Budget>
  readonly on_unknown: "redeliver" | "fail"
}

/** Name of a cell: the mob, a run, a member (its inbox and door). */
export type Cell = "M" | `R${number}` | `A${number}`

/** What a cell can be told. */
export type Message =
  | { readonly kind: "client"; readonly command: string }
  | { readonly kind: "run"; readonly message: ToRun }
  | { readonly kind: "timeout"; readonly input: InputId }
  | { readonly kind: "mob"; readonly message: ToMob }
  | { readonly kind: "owner"; readonly message: ToOwner }
  | { readonly kind: "door"; readonly message: ToDoor }
  | { readonly kind: "inbox"; readonly message: ToInbox }
  | { readonly kind: "submit"; readonly work_ref: string; readonly generation: number; readonly fence: Fence }

/** A fact with its aggregate. */
export type Tagged =
  | { readonly of: "mob"; readonly fact: MobFact }
  | { readonly of: "run"; readonly run: number; readonly fact: RunFactLike }
  | { readonly of: "inbox"; readonly member: number; readonly fact: InboxFact }

/** What is released when a turn is durable. */
export type Release =
  | { readonly type: "send"; readonly send: Send }
  | { readonly type: "message"; readonly to: Cell; readonly message: Message }
  | { readonly type: "ack"; readonly command: string }

/** One turn in a group commit. */
export interface Entry {
  readonly cell: Cell
  readonly facts: ReadonlyArray<Tagged>
  /** Empty once its cell is dead. */
  readonly releases: ReadonlyArray<Release>
}

/** A member's process. */
export interface Process {
  alive: boolean
  /** Fence of its connection. */
  fence: Fence
  instance: number
  running: ReadonlyArray<InputId>
  kept: ReadonlyArray<InputId>
  /** A process that was given up and lives on. */
  zombie: { readonly fence: Fence; readonly instance: number; readonly running: ReadonlyArray<InputId> } | undefined
}

/** What the host has in memory. `tip` of a cell that is loading is what it was. */
export interface Host {
  mob: { tip: MobState; loading: boolean }
  runs: Array<{ tip: object | undefined; loading: boolean } | undefined>
  /** `life`: which of the spawns of its identity the door is for. */
  members: Array<{ inbox: InboxState; door: DoorState; life: number; loading: boolean }>
}

/** Everything. */
export interface World {
  mob: MobState
  /** States of the run machine. */
  runs: Array<object | undefined>
  inboxes: Array<InboxState>
  host: Host | undefined
  /** Owner epoch: how often the mob was opened. */
  epoch: number
  flight: ReadonlyArray<Entry> | undefined
  open: ReadonlyArray<Entry>
  /** By `from>to`; first in, first out. */
  channels: { readonly [channel: string]: ReadonlyArray<Message> }
  processes: Array<Process>
  budget: Budget
  /** Client commands that are not sent yet, and those that were answered. */
  todo: ReadonlyArray<string>
  acks: ReadonlyArray<string>
  /** Newest fence under which an input was dispatched, durably. */
  dispatched: { readonly [input: string]: Fence }
  /** In which life and instance of its member an input's effect happened last. */
  effects: { readonly [input: string]: { readonly life: number; readonly instance: number } }
  /** How often each identity was spawned. */
  lives: Array<number>
  /** Highest fence that was ever bound, by member. */
  bound: Array<Fence>
  /** The host or a member cell crashed, so that a member that keeps nothing may run a turn again. */
  forgot: boolean
  violation: string | undefined
}

/** Identity of member `index`. */
export const identityOf = (index: number): Identity => `m${index}` as Identity

/** Index of a member. */
export const memberIndex = (identity: string): number => Number(identity.slice(1))

/** Id of run `index`. */
export const runOf = (index: number): RunId => `r${index}` as RunId

/** Index of a run. */
export const runIndex = (run: string): number => Number(run.slice(1))

export const copyWorld = (world: World): World => ({
  ...world,
  runs: world.runs.slice(),
  inboxes: world.inboxes.slice(),
  processes: world.processes.map((process) => ({ ...process })),
  bound: world.bound.slice(),
  lives: world.lives.slice(),
  host: world.host === undefined ? undefined : {
    mob: { ...world.host.mob },
    runs: world.host.runs.map((run) => (run === undefined ? undefined : { ...run })),
    members: world.host.members.map((member) => ({ ...member }))
  }
})

const byKey = ([a]: ReadonlyArray<unknown>, [b]: ReadonlyArray<unknown>): number => (String(a) < String(b) ? -1 : 1)

const texts = new WeakMap<object, string>()

/** Maps as sorted entries. Looks at the value itself, for some maps have a JSON form of their own. */
function plain(this: { readonly [key: string]: unknown }, key: string, json: unknown): unknown {
  const value = this[key]
  if (HashMap.isHashMap(value)) return [...value].map(([name, it]) => [String(name), it]).sort(byKey)
  if (value instanceof Buckets || value instanceof Map) return [...value].sort(byKey)
  return value instanceof Recent ? [...value.entries()] : json
}

/** Text of an immutable value; equal values have equal texts. Remembered, because worlds share most of what they hold. */
export const textOf = (value: object | undefined): string => {
  if (value === undefined) return "-"
  const known = texts.get(value)
  if (known !== undefined) return known
  const text = JSON.stringify(value, plain)
  texts.set(value, text)
  return text
}

/** Text of a world; worlds that differ only in how they came about have the same. */
export const worldText = (world: World): string => {
  const { host } = world
  const parts = [textOf(world.mob), ...world.runs.map(textOf), ...world.inboxes.map(textOf)]
  if (host !== undefined) {
    parts.push(host.mob.loading ? "l" : textOf(host.mob.tip))
    for (const run of host.runs) parts.push(run === undefined ? "-" : run.loading ? "l" : textOf(run.tip))
    for (const { door, inbox, life, loading } of host.members) {
      parts.push(loading ? "l" : textOf(inbox), textOf(door), String(life))
    }
  }
  parts.push(world.flight === undefined ? "-" : world.flight.map(textOf).join(), world.open.map(textOf).join())
  for (const channel of Object.keys(world.channels).sort()) {
    parts.push(channel, (world.channels[channel] ?? []).map(textOf).join())
  }
  const { acks, bound, budget, dispatched, effects, epoch, forgot, lives, processes, todo, violation } = world
  parts.push(
    JSON.stringify([acks, bound, budget, dispatched, effects, epoch, forgot, lives, processes, todo, violation])
  )
  return parts.join("|")
}
