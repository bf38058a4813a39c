/**
 * The model of the durable protocol: every order in which cells, the committer, member processes, clients and faults
 * can take turns, over the machines of the product.
 */
import { inboxInitial } from "../../core/machine/inbox/index.ts"
import { decideMob, evolveMob, type MobState, nextRestart } from "../../core/machine/mob/index.ts"
import type { MobId } from "../../sdk/ids.ts"
import { type Act, commits, faults, processes, type Spend } from "./faults.ts"
import type { Action, Model } from "./search.ts"
import { indexOf, RULES, type Rules, System } from "./system.ts"
import {
  type Budget,
  type Cell,
  type Config,
  copyWorld,
  identityOf,
  memberIndex,
  type Message,
  runIndex,
  runOf,
  type World,
  worldText
} from "./world.ts"

const NO_BUDGET: Budget = {
  crash: 0,
  fail: 0,
  member: 0,
  zombie: 0,
  runCell: 0,
  memberCell: 0,
  duplicate: 0,
  timeout: 0,
  cancel: 0,
  retire: 0,
  spawn: 0,
  broken: 0,
  stop: 0,
  resume: 0,
  complete: 0
}

const cellNames = (world: World): ReadonlyArray<Cell> => [
  "M",
  ...world.runs.map((_, index): Cell => `R${index}`),
  ...world.inboxes.map((_, index): Cell => `A${index}`)
]

/** The model of a configuration under these rules. */
export const modelOf = (config: Config, rules: Rules = RULES): Model<World> => ({
  initial: () => initial(config),
  actions: (world) => actions(config, rules, world),
  text: worldText,
  broken: (world) => broken(config, rules, world),
  unfinished: (world) => unfinished(new System(config, rules, world))
})

const initial = (config: Config): World => {
  const members = config.members.map(({ remote }, index) => ({
    identity: identityOf(index),
    role: "worker",
    labels: {},
    lifetime: remote ? "remote" as const : "host" as const
  }))
  // The model's own mob id is as good as any.
  const decision = decideMob(undefined, {
    type: "create",
    at: 0,
    mob_id: "m" as MobId,
    digest: "",
    base: "",
    epoch: 0,
    members
  })
  if (decision.refused) throw new Error(decision.message)
  const mob = decision.facts.reduce<MobState | undefined>(evolveMob, undefined)
  if (mob === undefined) throw new Error("no mob")
  return {
    mob,
    runs: config.runs.map(() => undefined),
    inboxes: config.members.map((_, index) => inboxInitial(identityOf(index))),
    host: undefined,
    epoch: 0,
    flight: undefined,
    open: [],
    channels: {},
    processes: config.members.map(() => ({
      alive: false,
      fence: 0,
      instance: 0,
      running: [],
      kept: [],
      zombie: undefined
    })),
    budget: { ...NO_BUDGET, ...config.budget },
    todo: [
      ...config.runs.map((_, index) => `create${index}`),
      ...config.submits.map((identity) => `submit${memberIndex(identity)}`)
    ].sort(),
    acks: [],
    effects: {},
    lives: config.members.map(() => 1),
    bound: config.members.map(() => 0),
    dispatched: {},
    forgot: false,
    violation: undefined
  }
}

/** What follows from any change: the committer takes the open group, cells of runs that are done go. */
const settle = (system: System): World => {
  const { world } = system
  const { host } = world
  if (host === undefined) return world
  if (world.flight === undefined && world.open.length > 0) {
    world.flight = world.open
    world.open = []
  }
  const busy = [...(world.flight ?? []), ...world.open]
  host.runs.forEach((run, index) => {
    if (run === undefined || run.loading || !system.isOver(index)) return
    if (world.mob.active.has(runOf(index)) || busy.some(({ cell }) => cell === `R${index}`)) return
    if (Object.keys(world.channels).some((channel) => channel.endsWith(`>R${index}`))) return
    host.runs[index] = undefined
  })
  return world
}

const actions = (config: Config, rules: Rules, world: World): ReadonlyArray<Action<World>> => {
  const all: Array<Action<World>> = []
  const act = (label: string, progress: boolean, change: (system: System) => void) => {
    all.push({
      label,
      progress,
      next: () => {
        const system = new System(config, rules, copyWorld(world))
        change(system)
        return settle(system)
      }
    })
  }
  const spend = (system: System, what: keyof Budget) => {
    system.world.budget = { ...system.world.budget, [what]: system.world.budget[what] - 1 }
  }
  const now = new System(config, rules, world)
  const { host } = world
  if (host === undefined) act("open", true, (system) => system.open())
  else {
    clients(act, spend, world)
    for (const cell of cellNames(world)) {
      if (!loadingIn(world, cell) || rules.barrier && now.pending(cell)) continue
      act(`load ${cell}`, true, (system) => system.load(cell))
    }
    messages(act, spend, now)
    commits(act, spend, world)
    faults(act, spend, now)
    const restart = nextRestart(host.mob.tip)
    if (restart !== undefined && !host.mob.loading) {
      act(`restart of ${restart.identity} is due`, true, (system) => system.mob({ type: "restart_due", ...restart }))
    }
  }
  processes(act, spend, config, world)
  return all
}

const loadingIn = (world: World, cell: Cell): boolean => {
  const { host } = world
  if (host === undefined) return false
  const index = indexOf(cell)
  if (cell === "M") return host.mob.loading
  return (cell.startsWith("R") ? host.runs[index]?.loading : host.members[index]?.loading) ?? false
}

const clients = (act: Act, spend: Spend, world: World): void => {
  for (const command of world.todo) {
    act(`client ${command}`, true, (system) => {
      system.world.todo = system.world.todo.filter((it) => it !== command)
      system.push("C>M", { kind: "client", command })
    })
  }
  const whim = (what: keyof Budget, command: string, to: Cell = "M") => {
    if (world.budget[what] === 0) return
    act(`client ${command}`, false, (system) => {
      spend(system, what)
      system.push(`C>${to}`, { kind: "client", command })
    })
  }
  if (world.runs[0] !== undefined) whim("cancel", "cancel0", "R0")
  whim("retire", "retire0")
  if (world.mob.members.get(identityOf(0))?.phase === "retired") whim("spawn", "spawn0")
  whim("broken", "break0")
  whim("stop", "stop")
  if (world.mob.phase === "stopped") whim("resume", "resume")
  whim("complete", "complete")
}

const messages = (act: Act, spend: Spend, now: System): void => {
  const { rules, world } = now
  for (const [channel, queue] of Object.entries(world.channels)) {
    // Channels are named `from>to` by the model itself.
    const to = channel.slice(channel.indexOf(">") + 1) as Cell
    // A run that has not started yet is awaited (R7).
    if (loadingIn(world, to) && (rules.awaitsOwners || !to.startsWith("R"))) continue
    queue.forEach((message, index) => {
      if (index > 0 && rules.inOrder) return
      // Somebody answers for a run without a cell if it is over on disk; an unborn one is awaited.
      if (to.startsWith("R") && world.host?.runs[indexOf(to)] === undefined && !now.isOver(indexOf(to))) return
      act(`${channel}: ${describe(message)}`, true, (system) => {
        system.take(channel, index)
        handle(system, channel, to, message)
      })
      if (
        index === 0 && world.budget.duplicate > 0 && message.kind === "door" && message.message.type === "turn_ended"
      ) {
        act(`again ${describe(message)}`, false, (system) => {
          spend(system, "duplicate")
          handle(system, channel, to, message)
        })
      }
    })
  }
}

const describe = (message: Message): string => {
  switch (message.kind) {
    case "client":
      return message.command
    case "timeout":
      return `timeout of ${message.input}`
    case "submit":
      return "submit"
    default:
      return JSON.stringify(message.message)
  }
}

const handle = (system: System, channel: string, to: Cell, message: Message): void => {
  const index = indexOf(to)
  switch (message.kind) {
    case "client":
      return client(system, to, message.command)
    case "mob":
      return void system.mob(
        message.message.type === "incarnation_lost" ? { ...message.message, at: 0, random: 0.5 } : message.message
      )
    case "door":
      return system.door(index, message.message)
    case "inbox":
      return system.inbox(index, message.message)
    case "submit": {
      const { fence, generation, work_ref } = message
      const submit = {
        type: "submit",
        work_ref,
        key: undefined,
        content: "work",
        deadline: 1,
        generation,
        fence
      } as const
      return system.inbox(index, submit, [{ type: "ack", command: `submit${index}` }])
    }
    case "timeout":
      return to.startsWith("A")
        ? system.inbox(index, { type: "tick", at: 1 })
        : system.run(index, { type: "timeout", input: message.input })
    case "run":
      return system.run(index, { type: "cancel" })
    case "owner":
      if (to.startsWith("A")) return system.inbox(index, { type: "message", message: message.message })
      return ownerMessage(system, channel, to, message)
  }
}

/** A run's cell hears it, or the directory answers for one that is over: settled, unless it may still take `ended`. */
const ownerMessage = (
  system: System,
  channel: string,
  to: Cell,
  message: Extract<Message, { kind: "owner" }>
): void => {
  const index = indexOf(to)
  const { host } = system.world
  if (host?.runs[index]?.loading === false) return system.run(index, { type: "message", message: message.message })
  if (message.message.type === "who" || host === undefined) return
  const { input } = message.message
  if (system.view(index)?.open.get(input)?.status === "detached") {
    host.runs[index] = { tip: undefined, loading: true }
    return system.push(channel, message)
  }
  const from = channel.slice(0, channel.indexOf(">"))
  system.push(`${to}>${from}`, { kind: "door", message: { type: "settled", input } })
}

const client = (system: System, to: Cell, command: string): void => {
  const index = Number(command.slice(-1))
  const acknowledged = [{ type: "ack", command }] as const
  const { host } = system.world
  if (host === undefined) return
  if (command.startsWith("create")) return system.create(index)
  if (command.startsWith("submit")) {
    const identity = identityOf(index)
    const decision = system.rules.decideMob(host.mob.tip, { type: "check_submit", identity })
    if (decision.refused || decision.reply.type !== "member") return
    const { fence, generation } = decision.reply
    const message = { kind: "submit", work_ref: "w", generation, fence } as const
    return system.turn("M", [], [{ type: "message", to: `A${index}`, message }])
  }
  if (command.startsWith("cancel")) {
    if (host.runs[indexOf(to)] !== undefined) return system.run(index, { type: "cancel" }, acknowledged)
    return system.release(to, acknowledged)
  }
  if (command.startsWith("retire")) {
    return void system.mob({ type: "retire", identity: identityOf(index) }, [], acknowledged)
  }
  if (command.startsWith("spawn")) {
    const lifetime = system.config.members[index]?.remote === true ? "remote" : "host"
    return void system.mob({ type: "spawn", at: 0, identity: identityOf(index), role: "worker", labels: {}, lifetime })
  }
  if (command.startsWith("break")) {
    const cause = { code: "broken", message: "", log: [] }
    return void system.mob({ type: "break_member", at: 0, identity: identityOf(index), cause })
  }
  if (command === "stop") {
    const phaseOf = (run: number) => {
      const state = system.rules.committedPhases ? system.world.runs[run] : host.runs[run]?.tip
      return state === undefined ? undefined : system.rules.run.view(state).phase
    }
    const ended = [...host.mob.tip.active.keys()].flatMap((run_id) => {
      const status = phaseOf(runIndex(run_id))
      return status === undefined || status === "running" ? [] : [{ run_id, status }]
    })
    if (!system.mob({ type: "stop", ended }, [], acknowledged) && host.mob.tip.phase === "running") {
      const active = system.world.runs.some((run, at) => run !== undefined && !system.isOver(at)) || system.pending("M")
      if (!active) system.violate("I6 stop was refused although every run is over")
    }
    return
  }
  // The rest are commands of the mob by their own name.
  system.mob({ type: command as "resume" | "complete" }, [], acknowledged)
}

const broken = (config: Config, rules: Rules, world: World): string | undefined => {
  if (world.violation !== undefined) return world.violation
  const system = new System(config, rules, world)
  for (const command of world.acks) {
    if (system.promiseOf(command) === false) return `I1 ${command} was acknowledged and is lost`
  }
  return undefined
}

const unfinished = (system: System): string | undefined => {
  const { config, world } = system
  const { host, mob } = world
  if (host === undefined) return "the host stays down"
  if (mob.ending) return `I7 the mob never reaches ${mob.phase}`
  for (const index of world.runs.keys()) {
    const run = system.view(index)
    if (run === undefined) continue
    if (run.phase === "running") return `I7 run ${index} never ends`
    if (mob.active.has(runOf(index))) return "I6 a run that is over stays active"
    for (const [input, { fence, status, target }] of run.open) {
      const member = mob.members.get(target)
      if (status === "detached" && member?.phase === "active" && member.fence === fence) {
        return `I11 the slot of ${input} is never given back`
      }
    }
  }
  for (const member of config.members.keys()) {
    const entry = mob.members.get(identityOf(member))
    const process = world.processes[member]
    const work = world.inboxes[member]?.open.get("w")
    if (work?.status === "dispatched" && mob.phase === "running") return `I7 the work of member ${member} never ends`
    if (
      work?.status === "detached" && entry?.phase === "active" && work.fence === entry.fence && mob.phase === "running"
    ) {
      return `I11 the slot of work of member ${member} is never given back`
    }
    if (entry?.phase === "retiring") return `I7 the retire of member ${member} never finishes`
    if (entry?.phase === "active" && process?.alive !== true) return `I7 member ${member} never comes back`
    // A remote process whose member broke or went while nobody was connected to it is told when it next connects.
    if (entry?.phase === "active" && process?.alive === true && process.kept.length > 0) {
      return `I7 an outcome that member ${member} keeps is never settled`
    }
    const held = [...host.members[member]?.door.entries.values() ?? []].find((it) => it.outcome !== undefined)
    if (held !== undefined) return `I7 the door of member ${member} holds the outcome of ${held.input} for ever`
  }
  return undefined
}
