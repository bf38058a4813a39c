/**
 * The simulated runtime around the machines: cells, channels, the committer, member processes. What the product's
 * actors do with a decision is done here in a few lines, so that every order of events can be tried.
 */
import { decideDoor, doorInitial, startDoor } from "../../core/machine/door/index.ts"
import {
  decideInbox,
  evolveInbox,
  type InboxCommand,
  inboxInitial,
  workOutcome
} from "../../core/machine/inbox/index.ts"
import { decideMob, evolveMob, type MobCommand, type MobState, rosterView } from "../../core/machine/mob/index.ts"
import { type RosterView, type Send, type ToConnection, type ToDoor, workInput } from "../../core/machine/protocol.ts"
import type { InputId } from "../../sdk/ids.ts"
import { type RunFactLike, type RunMachine, type RunModelCommand, type RunView, smallRuns } from "./run-owner.ts"
import {
  type Cell,
  type Config,
  type Entry,
  identityOf,
  memberIndex,
  type Message,
  type Release,
  runIndex,
  runOf,
  type Tagged,
  textOf,
  type World
} from "./world.ts"

/** The machines, and what the runtime promises them; a test takes one away and sees what breaks. */
export interface Rules {
  readonly decideMob: typeof decideMob
  readonly decideInbox: typeof decideInbox
  readonly decideDoor: typeof decideDoor
  readonly startDoor: typeof startDoor
  readonly run: RunMachine
  /** R1: a cell that loads awaits what it has ahead. */
  readonly barrier: boolean
  /** R1: a cell that loads tells again. */
  readonly retells: boolean
  /** R2: a turn without facts waits for what its aggregate has ahead. */
  readonly keepsPlace: boolean
  /** Commit before effect. */
  readonly commitsFirst: boolean
  /** R3: messages between two cells arrive in the order sent. */
  readonly inOrder: boolean
  /** R7: an input of an owner that has not started yet is not settled. */
  readonly awaitsOwners: boolean
  /** R9: `stop` asks the committed phase of a run. */
  readonly committedPhases: boolean
  /** R4: the first door of an opening knows that it has bound nothing; any later one knows what may have been bound. */
  readonly knowsBound: boolean
}

/** The rules as they are. */
export const RULES: Rules = {
  decideMob,
  decideInbox,
  decideDoor,
  startDoor,
  run: smallRuns,
  barrier: true,
  retells: true,
  keepsPlace: true,
  commitsFirst: true,
  inOrder: true,
  awaitsOwners: true,
  committedPhases: true,
  knowsBound: true
}

const cellOf = (owner: string): Cell =>
  owner.startsWith("run/") ? `R${runIndex(owner.slice(4))}` : `A${memberIndex(owner.slice(6))}`

/** Index of the run or member that a cell is. */
export const indexOf = (cell: Cell): number => Number(cell.slice(1))

/** What happens in one world; every method changes it. */
export class System {
  readonly config: Config
  readonly rules: Rules
  readonly world: World

  constructor(config: Config, rules: Rules, world: World) {
    this.config = config
    this.rules = rules
    this.world = world
  }

  violate(what: string): void {
    this.world.violation ??= what
  }

  /** Puts a message at the end of a channel. One that is there already, last, says nothing new. */
  push(channel: string, message: Message): void {
    const before = this.world.channels[channel] ?? []
    if (before.length > 0 && textOf(before.at(-1)) === textOf(message)) return
    this.world.channels = { ...this.world.channels, [channel]: [...before, message] }
  }

  /** Takes message `index` out of a channel. */
  take(channel: string, index: number): void {
    const { [channel]: messages = [], ...rest } = this.world.channels
    const left = messages.filter((_, at) => at !== index)
    this.world.channels = left.length === 0 ? rest : { ...rest, [channel]: left }
  }

  /** Whether something of this cell's aggregate is open or in flight. */
  pending(cell: Cell): boolean {
    const mine = (entry: Entry) =>
      entry.cell === cell || entry.facts.some((it) => it.of === "run" && cell === `R${it.run}`)
    return [...(this.world.flight ?? []), ...this.world.open].some(mine)
  }

  /** A turn: facts to the tip and the open group, releases after its sync. */
  turn(cell: Cell, facts: ReadonlyArray<Tagged>, releases: ReadonlyArray<Release>): void {
    const { host } = this.world
    if (host === undefined || facts.length === 0 && releases.length === 0) return
    for (const tagged of facts) {
      if (tagged.of === "mob") host.mob.tip = evolveMob(host.mob.tip, tagged.fact)
      if (tagged.of === "inbox") {
        const member = host.members[tagged.member]
        if (member !== undefined) member.inbox = evolveInbox(member.inbox, tagged.fact)
      }
      if (tagged.of === "run" && cell === `R${tagged.run}`) {
        const run = host.runs[tagged.run]
        if (run !== undefined) run.tip = this.rules.run.evolve(this.config, tagged.run, run.tip, tagged.fact)
      }
    }
    const free = facts.length === 0 && (!this.rules.keepsPlace || !this.pending(cell))
    if (free || !this.rules.commitsFirst) this.release(cell, releases)
    if (!free) {
      this.world.open = [...this.world.open, { cell, facts, releases: this.rules.commitsFirst ? releases : [] }]
    }
  }

  release(cell: Cell, releases: ReadonlyArray<Release>): void {
    for (const release of releases) {
      if (release.type === "send") this.route(cell, release.send)
      else if (release.type === "message") this.push(`${cell}>${release.to}`, release.message)
      else this.acknowledge(release.command)
    }
  }

  private acknowledge(command: string): void {
    this.world.acks = [...this.world.acks, command].sort()
    const promise = this.promiseOf(command)
    if (promise === false) this.violate(`I1 ${command} was acknowledged and is not durable`)
  }

  /** Whether what was acknowledged is so; undefined for what later commands may undo. */
  promiseOf(command: string): boolean | undefined {
    const { inboxes, mob, runs } = this.world
    const index = Number(command.slice(-1))
    if (command.startsWith("create")) return runs[index] !== undefined
    if (command.startsWith("submit")) {
      const inbox = inboxes[index]
      return inbox !== undefined && workOutcome(inbox, "w") !== undefined
    }
    if (command.startsWith("cancel")) return this.isOver(index)
    if (command === "complete") return mob.phase === "completed"
    return undefined
  }

  /** Sends what a machine said. What a member's own inbox and door say to each other stays within their cell. */
  route(cell: Cell, send: Send): void {
    switch (send.to) {
      case "door": {
        const member = memberIndex(send.identity)
        if (cell === `A${member}`) return this.door(member, send.message)
        return this.push(`${cell}>A${member}`, { kind: "door", message: send.message })
      }
      case "owner": {
        const to = cellOf(send.owner)
        if (to === cell) return this.inbox(indexOf(to), { type: "message", message: send.message })
        return this.push(`${cell}>${to}`, { kind: "owner", message: send.message })
      }
      case "owners": {
        this.world.host?.runs.forEach((run, index) => {
          if (run?.tip === undefined || run.loading || send.message.type !== "who") return
          const { identity } = send.message
          // A run without an unfinished dispatch to this member has nothing to answer.
          const asked = [...this.rules.run.view(run.tip).open.values()].some((it) => it.target === identity)
          if (asked) this.push(`${cell}>R${index}`, { kind: "owner", message: send.message })
        })
        return this.inbox(indexOf(cell), { type: "message", message: send.message })
      }
      case "mob":
        return this.push(`${cell}>M`, { kind: "mob", message: send.message })
      case "connection":
        return this.connection(memberIndex(send.identity), send.message)
      case "inbox":
        return this.inbox(memberIndex(send.identity), send.message)
      case "run": {
        const index = runIndex(send.run)
        const { host } = this.world
        if (send.message.type === "cancel") {
          return this.push(`${cell}>R${index}`, { kind: "run", message: send.message })
        }
        if (host !== undefined && host.runs[index] === undefined) host.runs[index] = { tip: undefined, loading: true }
      }
    }
  }

  // --- cells

  mob(command: MobCommand, extra: ReadonlyArray<Tagged> = [], releases: ReadonlyArray<Release> = []): boolean {
    const { host } = this.world
    if (host === undefined) return false
    const decision = this.rules.decideMob(host.mob.tip, command)
    if (decision.refused) return false
    const facts = decision.facts.map((fact): Tagged => ({ of: "mob", fact }))
    const sends = decision.sends.map((send): Release => ({ type: "send", send }))
    this.turn("M", facts.length === 0 ? [] : [...facts, ...extra], [...sends, ...releases])
    return true
  }

  inbox(member: number, command: InboxCommand, releases: ReadonlyArray<Release> = []): void {
    const cell = this.world.host?.members[member]
    if (cell === undefined || cell.loading) return
    const decision = this.rules.decideInbox(cell.inbox, command)
    if (decision.refused) return
    const facts = decision.facts.map((fact): Tagged => ({ of: "inbox", member, fact }))
    const sends = decision.sends.map((send): Release => ({ type: "send", send }))
    this.turn(`A${member}`, facts, [...releases, ...sends])
  }

  door(member: number, message: ToDoor): void {
    const cell = this.world.host?.members[member]
    if (cell === undefined) return
    const { sends, state } = this.rules.decideDoor(cell.door, message)
    cell.door = state
    for (const send of sends) this.route(`A${member}`, send)
  }

  run(index: number, command: RunModelCommand, releases: ReadonlyArray<Release> = []): void {
    const run = this.world.host?.runs[index]
    if (run?.tip === undefined) return
    const { facts, sends } = this.rules.run.decide(this.config, index, run.tip, command, this.roster())
    this.turn(
      `R${index}`,
      facts.map((fact) => ({ of: "run", run: index, fact })),
      [...sends.map((send): Release => ({ type: "send", send })), ...releases]
    )
  }

  /** Loads a cell from disk and lets it tell again (R1). */
  load(cell: Cell): void {
    const { host } = this.world
    if (host === undefined) return
    const index = indexOf(cell)
    if (cell === "M") {
      host.mob = { tip: this.world.mob, loading: false }
      this.join()
      if (this.rules.retells) this.mob({ type: "opened", at: 0, epoch: this.world.epoch })
    } else if (cell.startsWith("R")) {
      host.runs[index] = { tip: this.world.runs[index], loading: false }
      if (this.rules.retells) this.run(index, { type: "started" })
    } else {
      const member = host.members[index]
      const inbox = this.world.inboxes[index]
      if (member === undefined || inbox === undefined) return
      member.inbox = inbox
      member.loading = false
      const { sends, state } = this.rules.startDoor(member.door)
      member.door = state
      for (const send of sends) this.route(cell, send)
      if (this.rules.retells) this.inbox(index, { type: "started" })
    }
  }

  /** Gives a member that was spawned again its new door, as the mob's supervisor does after a commit. */
  join(): void {
    this.world.host?.members.forEach((member, index) => {
      const life = this.world.lives[index] ?? 0
      if (member.life === life) return
      const { generation, phase } = this.rosterEntry(index)
      member.door = doorInitial({ identity: identityOf(index), phase, generation, fence: 0 })
      member.life = life
    })
  }

  rosterEntry(member: number): NonNullable<ReturnType<MobState["members"]["get"]>> {
    const entry = this.world.mob.members.get(identityOf(member))
    if (entry === undefined) throw new Error(`no member ${member}`)
    return entry
  }

  /** The process opens the mob: its own turn first, then doors and inboxes; runs load when their turn comes. */
  open(): void {
    const { world } = this
    world.epoch++
    world.host = {
      mob: { tip: world.mob, loading: true },
      runs: world.runs.map((_, index) =>
        this.view(index) === undefined || this.isOver(index) && !world.mob.active.has(runOf(index))
          ? undefined
          : { tip: undefined, loading: true }
      ),
      members: world.inboxes.map((inbox, index) => {
        const { generation, phase } = this.rosterEntry(index)
        const door = doorInitial({ identity: identityOf(index), phase, generation, fence: 0 })
        return { inbox, door, life: world.lives[index] ?? 0, loading: false }
      })
    }
    const { rules } = this
    const all = rules.retells ? this : new System(this.config, { ...rules, retells: true }, world)
    all.load("M")
    world.inboxes.forEach((_, index) => all.load(`A${index}`))
  }

  /** The committed roster. */
  private roster(): RosterView {
    return rosterView(this.world.mob)
  }

  /** What is on disk of a run. */
  view(index: number): RunView | undefined {
    const run = this.world.runs[index]
    return run === undefined ? undefined : this.rules.run.view(run)
  }

  /** Whether a run's phase on disk is terminal. */
  isOver(index: number): boolean {
    return (this.view(index)?.phase ?? "running") !== "running"
  }

  create(index: number): void {
    const run_id = runOf(index)
    const created = this.rules.run.create(this.config, index, this.roster())
    this.mob(
      // The flow's name and digest play no part here.
      { type: "admit_run", run_id, flow_id: "f" as never, key: run_id, explicit: false, digest: "", ended: [] },
      created.map((fact) => ({ of: "run", run: index, fact })),
      [{ type: "ack", command: `create${index}` }]
    )
  }

  // --- the committer

  /** The batch in flight is durable: apply it, check it, release what waited for it. */
  commit(alive: boolean): void {
    const entries = this.world.flight ?? []
    this.world.flight = undefined
    for (const entry of entries) for (const tagged of entry.facts) this.durable(tagged)
    if (this.world.mob.phase !== "running" && !this.world.mob.ending) {
      this.world.runs.forEach((run, index) => {
        if (run !== undefined && !this.isOver(index)) {
          this.violate(`I6 the mob is ${this.world.mob.phase}, run ${index} is not over`)
        }
      })
    }
    if (!alive) return
    this.join()
    for (const { cell, releases } of entries) this.release(cell, releases)
  }

  private durable(tagged: Tagged): void {
    const { world } = this
    if (tagged.of === "mob") {
      const { fact } = tagged
      if (fact.type === "member_incarnated" || fact.type === "member_spawned") {
        if (fact.fence < world.mob.next_fence) this.violate("I4 a fence was given twice")
      }
      world.mob = evolveMob(world.mob, fact)
      if (fact.type === "member_spawned") {
        const index = memberIndex(fact.identity)
        world.lives[index] = (world.lives[index] ?? 0) + 1
      }
      // What a retired member's process still does is nobody's business any more.
      if (fact.type === "member_retired") this.takeDown(memberIndex(fact.identity))
    } else if (tagged.of === "inbox") {
      const inbox = world.inboxes[tagged.member] ?? inboxInitial(identityOf(tagged.member))
      const { fact } = tagged
      if (fact.type === "work_completed") {
        const item = inbox.open.get(fact.work_ref)
        if (item?.status !== "dispatched") this.violate(`I2 an outcome for closed work ${fact.work_ref}`)
        else if (item.fence !== fact.fence) this.violate("I4 an outcome under another fence than recorded")
      }
      if (fact.type === "work_accepted" || fact.type === "work_redelivered") {
        this.recordDispatch(submitted(tagged.member), fact.fence)
      }
      world.inboxes[tagged.member] = evolveInbox(inbox, fact)
    } else {
      const { fact, run } = tagged
      const before = this.view(run)
      this.checkRun(before, fact)
      world.runs[run] = this.rules.run.evolve(this.config, run, world.runs[run], fact)
      const after = this.view(run)
      if (before !== undefined && before.phase !== "running" && after?.phase !== before.phase) {
        this.violate("I5 a run ended twice")
      }
    }
  }

  private recordDispatch(input: InputId, fence: number): void {
    this.world.dispatched = { ...this.world.dispatched, [input]: fence }
  }

  private checkRun(before: RunView | undefined, { fence = 0, input, type }: RunFactLike): void {
    if (input === undefined) return
    const record = before?.open.get(input)
    if (type === "dispatched" || type === "redelivered") {
      if (before?.phase !== "running") this.violate("I5 a dispatch after the end of its run")
      if (type === "redelivered" && record?.status !== "dispatched") this.violate("I2 a closed input was redelivered")
      this.recordDispatch(input, fence)
    }
    if (type === "completed") {
      if (record?.status !== "dispatched") this.violate("I2 an outcome for a closed input")
      else if (record.fence !== fence) this.violate("I4 an outcome under another fence than recorded")
    }
  }

  // --- member processes

  takeDown(member: number): void {
    const process = this.world.processes[member]
    if (process === undefined) return
    process.alive = false
    process.running = []
    process.kept = []
    process.zombie = undefined
  }

  private connection(member: number, message: ToConnection): void {
    const process = this.world.processes[member]
    const kind = this.config.members[member]
    if (process === undefined || kind === undefined) return
    const say = (door: ToDoor) => this.push(`W${member}>A${member}`, { kind: "door", message: door })
    switch (message.type) {
      case "bind": {
        const { fence } = message
        if (fence <= (this.world.bound[member] ?? 0)) this.violate(`R4 fence ${fence} was bound twice`)
        this.world.bound[member] = fence
        process.zombie = undefined
        if (!process.alive || !kind.remote) {
          process.alive = true
          process.instance++
          process.running = []
          if (kind.keeps !== "durable") process.kept = []
        }
        process.fence = fence
        const outcome = { status: "completed", output: "done" } as const
        return say({
          type: "connected",
          fence,
          observed: [
            ...process.running.map((input) => ({ input, state: "running" }) as const),
            ...process.kept.map((input) => ({ input, state: "ended", outcome }) as const)
          ]
        })
      }
      case "deliver": {
        const { fence, input } = message.dispatch
        const recorded = this.world.dispatched[input] ?? 0
        if (recorded === 0) this.violate("I3 delivered before the dispatch is durable")
        else if (recorded < fence) this.violate("I3 delivered before the redelivery is durable")
        if (!process.alive || process.running.includes(input)) return
        if (process.kept.includes(input)) return this.turnEnded(member, input, process.fence)
        process.running = [...process.running, input].sort()
        return
      }
      case "settled":
        process.kept = process.kept.filter((input) => input !== message.input)
        return
      case "close": {
        if (!process.alive) return
        const { fence } = process
        this.takeDown(member)
        const exit = { code: "closed", message: "", log: [] }
        return this.push(`L${member}>A${member}`, { kind: "door", message: { type: "exited", fence, exit } })
      }
    }
  }

  /** A process reports an outcome, if there is a host to hear it. */
  turnEnded(member: number, input: InputId, fence: number): void {
    if (this.world.host === undefined) return
    const outcome = { status: "completed", output: "done" } as const
    this.push(`W${member}>A${member}`, { kind: "door", message: { type: "turn_ended", fence, input, outcome } })
  }

  /** A process has done the work of an input. */
  executed(member: number, input: InputId, instance: number): void {
    const { effects, forgot } = this.world
    const before = effects[input]
    const life = this.world.lives[member] ?? 0
    // A member that retired has lost its store with its life; the next one of its name may be asked again.
    if (before?.life === life) {
      const { keeps } = this.config.members[member] ?? { keeps: "none" }
      const same = before.instance === instance
      if (keeps === "durable" || keeps === "memory" && same || keeps === "none" && same && !forgot) {
        this.violate(`I9 a member that keeps "${keeps}" did ${input} twice`)
      }
    }
    this.world.effects = { ...effects, [input]: { life, instance } }
  }
}

/** The input of the one piece of work that the model submits to a member. */
export const submitted = (member: number): InputId => workInput(identityOf(member), "w")
