/**
 * What commits, what fails, and what member processes do, as actions of the model.
 */
import { doorInitial } from "../../core/machine/door/index.ts"
import type { InputId } from "../../sdk/ids.ts"
import { submitted, type System } from "./system.ts"
import { type Budget, type Cell, type Config, identityOf, type World } from "./world.ts"

/** Offers an action. */
export type Act = (label: string, progress: boolean, change: (system: System) => void) => void
/** Takes one from a budget. */
export type Spend = (system: System, what: keyof Budget) => void

/** The batch in flight lands, or does not. */
export const commits = (act: Act, spend: Spend, world: World): void => {
  const { flight } = world
  if (flight === undefined) return
  const what = flight.map(({ cell, facts }) => `${cell}{${facts.map(({ fact }) => fact.type).join()}}`).join(" ")
  act(`sync ${what}`, true, (system) => system.commit(true))
  if (world.budget.fail === 0) return
  for (const durable of [true, false]) {
    act(`commit fails (${durable ? "durable" : "lost"}) ${what}`, false, (system) => {
      spend(system, "fail")
      if (durable) system.commit(false)
      system.world.flight = undefined
      system.world.open = []
      const { host } = system.world
      if (host === undefined) return
      host.mob.loading = true
      for (const run of host.runs) if (run !== undefined) run.loading = true
      for (const member of host.members) member.loading = true
    })
  }
}

/** The host, a cell or a deadline goes. */
export const faults = (act: Act, spend: Spend, now: System): void => {
  const { config, world } = now
  const { budget, flight, host } = world
  if (host === undefined) return
  if (budget.crash > 0) {
    for (const landed of flight === undefined ? [false] : [true, false]) {
      act(
        `the host crashes${flight === undefined ? "" : landed ? " (batch landed)" : " (batch lost)"}`,
        false,
        (system) => {
          spend(system, "crash")
          const after = system.world
          if (landed) system.commit(false)
          after.flight = undefined
          after.open = []
          after.host = undefined
          after.channels = {}
          after.forgot = true
          config.members.forEach((_, member) => hostGone(system, member))
        }
      )
    }
  }
  const kill = (system: System, cell: Cell) => {
    const drop = (
      entry: NonNullable<World["flight"]>[number]
    ) => (entry.cell === cell ? { ...entry, releases: [] } : entry)
    system.world.flight = system.world.flight?.map(drop)
    system.world.open = system.world.open.map(drop)
  }
  host.runs.forEach((run, index) => {
    if (budget.runCell === 0 || run === undefined || run.loading) return
    act(`the cell of run ${index} crashes`, false, (system) => {
      spend(system, "runCell")
      kill(system, `R${index}`)
      const cell = system.world.host?.runs[index]
      if (cell !== undefined) cell.loading = true
    })
  })
  host.members.forEach((member, index) => {
    if (budget.memberCell === 0 || member.loading || member.door.phase === "retired") return
    act(`the cell of member ${index} crashes`, false, (system) => {
      spend(system, "memberCell")
      kill(system, `A${index}`)
      system.world.forgot = true
      hostGone(system, index)
      const cell = system.world.host?.members[index]
      const { fence, generation, phase } = system.rosterEntry(index)
      if (cell === undefined) return
      const last = system.rules.knowsBound ? fence : 0
      cell.door = doorInitial({ identity: identityOf(index), phase, generation, fence: last })
      cell.loading = true
    })
  })
  if (budget.timeout === 0) return
  const timeout = (to: Cell, input: InputId) => {
    if (world.channels[`T>${to}`] !== undefined) return
    act(`timeout of ${input}`, false, (system) => {
      spend(system, "timeout")
      system.push(`T>${to}`, { kind: "timeout", input })
    })
  }
  world.runs.forEach((run, index) => {
    if (run === undefined || host.runs[index] === undefined) return
    for (const [input, { status }] of now.view(index)?.open ?? []) {
      if (status === "dispatched") timeout(`R${index}`, input)
    }
  })
  world.inboxes.forEach((inbox, index) => {
    if (inbox.open.get("w")?.status === "dispatched") timeout(`A${index}`, submitted(index))
  })
}

/** A process that lives in the host, or behind the cell, goes with it. */
const hostGone = (system: System, member: number): void => {
  const process = system.world.processes[member]
  const kind = system.config.members[member]
  if (process === undefined || kind === undefined || kind.remote) return
  process.alive = false
  process.running = []
  if (kind.keeps !== "durable") process.kept = []
}

/** Members end their turns, or die. */
export const processes = (act: Act, spend: Spend, config: Config, world: World): void => {
  world.processes.forEach((process, member) => {
    const keeps = config.members[member]?.keeps
    for (const input of process.running) {
      act(`member ${member} ends ${input}`, true, (system) => {
        const mine = system.world.processes[member]
        if (mine === undefined) return
        system.executed(member, input, mine.instance)
        mine.running = mine.running.filter((it) => it !== input)
        if (keeps !== "none") mine.kept = [...mine.kept, input].sort()
        system.turnEnded(member, input, mine.fence)
      })
    }
    for (const input of process.zombie?.running ?? []) {
      act(`the old process of member ${member} ends ${input}`, true, (system) => {
        const mine = system.world.processes[member]
        const zombie = mine?.zombie
        if (mine === undefined || zombie === undefined) return
        system.executed(member, input, zombie.instance)
        mine.zombie = { ...zombie, running: zombie.running.filter((it) => it !== input) }
        if (keeps === "durable") mine.kept = [...mine.kept, input].sort()
        system.turnEnded(member, input, zombie.fence)
      })
    }
    if (!process.alive || world.host === undefined) return
    const lose = (system: System): void => {
      const mine = system.world.processes[member]
      if (mine === undefined) return
      mine.alive = false
      mine.running = []
      if (keeps !== "durable") mine.kept = []
      const exit = { code: "member_exited", message: "", log: [] }
      system.push(`L${member}>A${member}`, { kind: "door", message: { type: "exited", fence: mine.fence, exit } })
    }
    if (world.budget.member > 0) {
      act(`member ${member} crashes`, false, (system) => {
        spend(system, "member")
        lose(system)
      })
    }
    if (world.budget.zombie > 0) {
      act(`member ${member} is given up and lives on`, false, (system) => {
        spend(system, "zombie")
        const mine = system.world.processes[member]
        if (mine === undefined) return
        const { fence, instance, running } = mine
        lose(system)
        mine.zombie = { fence, instance, running }
      })
    }
  })
}
