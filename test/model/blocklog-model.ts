/**
 * The model of the block log: every order in which writers, the committer, pruning, second owners, failed writes and
 * crashes can take turns.
 */
import { compose } from "./blocklog-compose.ts"
import { damaged, forgetful, unsound } from "./blocklog-invariants.ts"
import { goOnDestroying, load, openDatabase, reopen, settle } from "./blocklog-owner.ts"
import type { Rules } from "./blocklog-rules.ts"
import { acknowledge, land, mayWrite, writeMark } from "./blocklog-truth.ts"
import {
  type Budget,
  type Config,
  copyWorld,
  databaseOf,
  down,
  initialWorld,
  type Log,
  type Offered,
  type Process,
  Texts,
  type World
} from "./blocklog-world.ts"
import type { Action, Model } from "./search.ts"

/** The model of a configuration under these rules. */
export const blockLog = (config: Config, rules: Rules): Model<World> => {
  const texts = new Texts()
  /** Many worlds have the same disk, which is looked at once. */
  const seen = new Map<string, string | undefined>()
  return {
    initial: () => initialWorld(config),
    actions: (world) => actionsOf(config, rules, world),
    text: texts.world,
    broken: (world) => {
      const at = world.violation ?? forgetful(world)
      if (at !== undefined) return at
      const key = texts.disk(world)
      if (!seen.has(key)) seen.set(key, unsound(world, rules) ?? damaged(world, rules))
      return seen.get(key)
    },
    unfinished: () => undefined
  }
}

const actionsOf = (config: Config, rules: Rules, world: World): ReadonlyArray<Action<World>> => {
  const all: Array<Action<World>> = []
  const act = (
    label: string,
    costs: ReadonlyArray<keyof Budget>,
    progress: boolean,
    change: (after: World, process: Process) => void,
    index: number
  ) => {
    if (costs.some((cost) => world.budget[cost] === 0)) return
    all.push({
      label: config.budget.takeover === undefined ? label : `process ${index + 1}: ${label}`,
      progress,
      next: () => {
        const after = copyWorld(world)
        const process = after.processes[index]
        if (process === undefined) return after
        for (const cost of costs) after.budget = { ...after.budget, [cost]: after.budget[cost] - 1 }
        change(after, process)
        for (const it of after.processes) begin(after, it, rules)
        return after
      }
    })
  }
  world.processes.forEach((process, index) => {
    const held = world.processes.some((other) => other !== process && other.status === "open")
    const free = !held || config.shared === true
    const mine: Act = (label, costs, progress, change) => act(label, costs, progress, change, index)
    if (process.status === "down" && free) {
      mine("opens", index === 0 ? [] : ["takeover"], index === 0, (after, it) => start(after, it, rules))
    }
    if (process.status === "reopening" && free) {
      mine("opens again", [], true, (after, it) => attempt(after, () => reopen(after, it, rules)))
    }
    if (process.status === "open") {
      for (const log of process.logs) {
        writes(config, world, process, log, mine)
        housekeeping(config, world, process, log, mine, rules)
      }
      for (const [mob, { destroyed }] of Object.entries(databaseOf(world).mobs)) {
        if (destroyed === "done" || (destroyed === "begun" && !rules.destroysFirst)) {
          mine(
            `a new ${mob}`,
            ["acquire"],
            false,
            (_, it) => it.queue.push({ type: "acquire", mob, loaded: undefined })
          )
        }
      }
      if (config.shared !== true && process.flight === undefined && index > 0) {
        mine("closes", [], true, (after) => {
          after.processes[index] = down()
        })
      }
    }
    if (process.status !== "down") ends(process, index, mine, config, rules)
  })
  return all
}

/** Offers what one process may do next. */
type Act = (
  label: string,
  costs: ReadonlyArray<keyof Budget>,
  progress: boolean,
  change: (after: World, process: Process) => void
) => void

/** Turns of aggregates. */
const writes = (config: Config, world: World, process: Process, log: Log, act: Act): void => {
  const { mob } = log
  const offer = (aggregate: string, kind: string, end: boolean, head: boolean): Offered => {
    const tip = log.memory.tips[aggregate]?.state ?? []
    const rev = tip.length + 1
    // Told apart from what was or will be written under the same revision by another owner, or before a failure.
    const value = `${kind}${log.epoch}.${world.budget.fail}.${rev}`
    return { aggregate, rev, value, end, head: head || end || rev === 1 ? [...tip, value] : undefined }
  }
  const submit = (label: string, costs: ReadonlyArray<keyof Budget>, entries: ReadonlyArray<Offered>) =>
    act(`${label} in ${mob}`, costs, !costs.includes("wrong"), (_, it) => {
      const mine = it.logs[process.logs.indexOf(log)]
      if (mine === undefined) return
      it.queue.push({ type: "turn", mob, epoch: log.epoch, entries, right: !costs.includes("wrong") })
      if (costs.includes("wrong")) return
      for (const { aggregate, end, value } of entries) {
        mine.memory.tips[aggregate] = { state: [...(mine.memory.tips[aggregate]?.state ?? []), value], end }
      }
    })
  const over = (aggregate: string) => log.memory.tips[aggregate]?.end === true
  for (const aggregate of config.aggregates) {
    const state = log.memory.tips[aggregate]?.state
    if (over(aggregate)) submit(`late turn of ${aggregate}`, ["turn", "late"], [offer(aggregate, "", true, true)])
    else {
      submit(`turn of ${aggregate}`, ["turn"], [offer(aggregate, "", false, false)])
      if (state !== undefined) {
        submit(`turn of ${aggregate} with a head`, ["turn", "head"], [offer(aggregate, "", false, true)])
      }
      submit(`last turn of ${aggregate}`, ["turn", "end"], [offer(aggregate, "", true, true)])
      if (state !== undefined) {
        act(`head of ${aggregate} in ${mob}`, ["head"], true, (_, it) => {
          it.queue.push({ type: "head", mob, epoch: log.epoch, aggregate, state })
        })
      }
    }
  }
  const [one, other] = config.aggregates
  if (one === undefined || other === undefined || over(one) || over(other)) return
  const pair = [offer(one, "pair", false, false), offer(other, "pair", false, false)] as const
  const value = pair[0].value
  const entries = pair.map((it) => ({ ...it, value, head: it.head && [...it.head.slice(0, -1), value] }))
  submit(`turn of both`, ["turn", "pair"], entries)
  submit(
    `turn of both with one guard wrong`,
    ["wrong"],
    entries.map((it) => it.aggregate === other ? { ...it, rev: it.rev + 1 } : it)
  )
}

/** Checkpoints, pruning, and another owner in the same process. */
const housekeeping = (config: Config, world: World, process: Process, log: Log, act: Act, rules: Rules): void => {
  const { epoch, memory, mob } = log
  if (!process.due.includes(mob)) act(`checkpoint of ${mob}`, ["checkpoint"], false, (_, it) => it.due.push(mob))
  const names = config.aggregates
  // Live ones may be named too, and are left alone.
  const forgets = (config.budget.end ?? 0) > 0 ? [[], names] : [[]]
  for (const keep of new Set([1 + Math.ceil((memory.nextCursor - 1) / 2), memory.nextCursor])) {
    for (const forget of forgets) {
      act(`prune ${mob} below ${keep}${forget.length > 0 ? ", forget" : ""}`, ["prune"], false, (after, it) => {
        if (rules.settlesFirst) settle(after, it)
        it.queue.push({ type: "prune", mob, epoch, keep, forget })
        const truth = after.truth[mob]
        if (truth !== undefined) truth.keep = Math.max(truth.keep, keep)
      })
    }
  }
  act(`destroy ${mob}`, ["destroy"], false, (_, it) => it.queue.push({ type: "destroy", mob }))
  act(`another log of ${mob}`, ["acquire"], false, (after, it) => {
    attempt(after, () => {
      const loaded = rules.acquiresThenLoads ? undefined : load(databaseOf(after), mob, rules)
      it.queue.push({ type: "acquire", mob, loaded })
    })
  })
}

/** How a batch ends, and how a process does. */
const ends = (process: Process, index: number, act: Act, config: Config, rules: Rules): void => {
  const { flight } = process
  if (flight !== undefined) {
    act("sync", [], true, (after, it) => attempt(after, () => sync(after, it, config, rules)))
    for (const landed of [true, false]) {
      act(`the write fails, ${landed ? "landed" : "lost"}`, ["fail"], false, (after, it) => {
        const [batch] = flight.batches
        if (landed && batch !== undefined && mayWrite(after, batch, config, rules)) land(after, batch)
        it.flight = undefined
        it.queue = []
        it.due = []
        it.status = "reopening"
      })
    }
  }
  for (const landed of flight === undefined ? [false] : [true, false]) {
    for (const power of [false, true]) {
      act(
        `crash${flight === undefined ? "" : landed ? ", landed" : ", lost"}${power ? ", MARK gone" : ""}`,
        ["crash"],
        false,
        (after) => {
          const batch = flight?.batches[0]
          if (landed && batch !== undefined && mayWrite(after, batch, config, rules)) land(after, batch)
          if (power) after.disk = { ...after.disk, mark: 0 }
          after.processes[index] = down()
        }
      )
    }
  }
}

/** Opens, and becomes the owner of every mob. */
const start = (world: World, process: Process, rules: Rules): void =>
  attempt(world, () => {
    const database = openDatabase(world, process, rules)
    const there = Object.entries(database.mobs).filter(([, { destroyed }]) => destroyed === "no")
    const loaded = new Map(there.map(([mob]) => [mob, load(database, mob, rules)]))
    const changes = there.map(([mob, { epoch }]) => ({ type: "acquired" as const, mob, epoch: epoch + 1 }))
    land(world, { changes, seq: 0, writers: {} })
    process.logs = changes.map(({ epoch, mob }) => {
      process.epochs[mob] = epoch
      const memory = loaded.get(mob)
      if (memory === undefined) throw new Error(`no mob ${mob}`)
      return { mob, epoch, memory }
    })
    goOnDestroying(world, process)
  })

/** The open group becomes the one in flight. */
const begin = (world: World, process: Process, rules: Rules): void => {
  if (process.status !== "open" || process.flight !== undefined || process.queue.length === 0) return
  process.flight = compose(world, process, rules)
  const flight = process.flight
  if (flight === undefined) return
  const [batch] = flight.batches
  if (!rules.marksAfterSync && batch !== undefined) writeMark(world, batch)
  if (!rules.acknowledgesAfterSync) acknowledge(world, flight)
}

/** The next batch of the flight is durable; after the last one everybody is told. */
const sync = (world: World, process: Process, config: Config, rules: Rules): void => {
  const { flight } = process
  const batch = flight?.batches[0]
  if (flight === undefined || batch === undefined) return
  if (!mayWrite(world, batch, config, rules)) {
    // Another process owns a mob of it: this one lets go.
    process.flight = undefined
    process.queue = []
    process.logs = process.logs.filter(({ mob }) => batch.writers[mob] === undefined)
    return
  }
  land(world, batch)
  if (config.shared !== true) writeMark(world, batch)
  const rest = flight.batches.slice(1)
  if (rest.length > 0) {
    process.flight = { ...flight, batches: rest }
    return
  }
  process.flight = undefined
  if (rules.acknowledgesAfterSync) acknowledge(world, flight)
  for (const item of flight.whole) {
    const { mob } = item
    process.logs = process.logs.filter((log) => log.mob !== mob)
    if (item.type !== "acquire") continue
    const epoch = process.epochs[mob] ?? 0
    process.logs.push({ mob, epoch, memory: item.loaded ?? load(databaseOf(world), mob, rules) })
  }
  goOnDestroying(world, process)
}

/** A database that refuses to open breaks the model: nothing damaged it. */
const attempt = (world: World, body: () => void): void => {
  try {
    body()
  } catch (error) {
    world.violation ??= `a sound database is refused: ${error instanceof Error ? error.message : String(error)}`
  }
}
