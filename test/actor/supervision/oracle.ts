/**
 * What OTP's documentation of `supervisor` says must happen to a family of three when one of them ends, as plain data and
 * the few rules that combine it. Knows nothing of how the product does it.
 */

export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one" | "simple_one_for_one"
export type Restart = "permanent" | "transient" | "temporary"
export type Name = "a" | "b" | "c"
/** How a member ends: it returns, it exits with shutdown, it fails by a typed error, it has a defect. */
export type End = "normal" | "shutdown" | "failure" | "defect"

/** The three, in the order of their start. */
export const NAMES: ReadonlyArray<Name> = ["a", "b", "c"]

/** A supervisor and its children between two events. */
export interface State {
  readonly strategy: Strategy
  readonly restarts: Readonly<Record<Name, Restart>>
  /** How many restarts it allows. */
  readonly intensity: number
  /** How many it has counted. */
  readonly counted: number
  /** Who is up, in the order of their start. */
  readonly up: ReadonlyArray<Name>
}

/** One of them ends. */
export interface Happening {
  readonly member: Name
  readonly end: End
  /** Whose next start fails, or hangs until its time has passed, once. */
  readonly badStart?: BadStart
}

export interface BadStart {
  readonly member: Name
  readonly how: "fails" | "hangs"
}

/** Lines of a log. What may come in any order is one set. */
export type Step = string | ReadonlySet<string>

/** What must be seen, and what comes of it. */
export interface Expected extends State {
  readonly steps: ReadonlyArray<Step>
  /** It gave up, and ended with its children. */
  readonly escalated: boolean
}

/** "A permanent child process is always restarted. A temporary child process is never restarted. A transient child process
 * is restarted only if it terminates abnormally." */
const RESTARTED: Record<Restart, Record<End, boolean>> = {
  permanent: { normal: true, shutdown: true, failure: true, defect: true },
  transient: { normal: false, shutdown: false, failure: true, defect: true },
  temporary: { normal: false, shutdown: false, failure: false, defect: false }
}

/** Who is terminated with the one that ended: places, from 0. */
const TERMINATED: Record<Strategy, (ended: number, other: number) => boolean> = {
  one_for_one: () => false,
  simple_one_for_one: () => false,
  one_for_all: () => true,
  rest_for_one: (ended, other) => other > ended
}

/** What a log says of an end. */
const SAID: Record<End, string> = {
  normal: "normal",
  shutdown: "shutdown",
  failure: "crashed boom",
  defect: "crashed boom"
}

/** What a supervisor that gave up says, where that is not what its child crashed with. */
const TOO_OFTEN = "crashed the child ended normally, and too often"

const SAID_OF_START = { fails: "crashed no start", hangs: "crashed StartTimeout" } as const

/** What must happen when one of them ends and nothing else happens meanwhile. */
export const expected = (before: State, { badStart, end, member }: Happening): Expected => {
  const { intensity, restarts, strategy } = before
  const steps: Array<Step> = [`stop ${member} ${SAID[end]}`]
  const alive = new Set(before.up)
  const up = new Set(before.up)
  const inReverse = () => [...up].toSorted().reverse()
  let { counted } = before
  let bad = badStart
  let ended: { readonly name: Name; readonly end: End; readonly said: string } | undefined = {
    name: member,
    end,
    said: SAID[end]
  }
  while (ended !== undefined) {
    const { end, name, said } = ended
    up.delete(name)
    if (!RESTARTED[restarts[name]][end]) {
      alive.delete(name)
      break
    }
    // "If more than MaxR restarts occur within MaxT, the supervisor terminates all child processes and then itself."
    if (++counted > intensity) {
      const stops = inReverse().map((other) => `stop ${other} shutdown`)
      if (strategy === "simple_one_for_one") steps.push(new Set(stops))
      else steps.push(...stops)
      steps.push(`stop parent ${end === "normal" || end === "shutdown" ? TOO_OFTEN : said}`)
      return { ...before, steps, up: [], counted, escalated: true }
    }
    // "Terminated in reversed start order", with shutdown.
    for (const other of inReverse()) {
      if (!TERMINATED[strategy](NAMES.indexOf(name), NAMES.indexOf(other))) continue
      steps.push(`stop ${other} shutdown`)
      up.delete(other)
      // "Never restarted, even when a sibling's death causes the temporary process to be terminated."
      if (restarts[other] === "temporary") alive.delete(other)
    }
    ended = undefined
    for (const next of alive) {
      if (up.has(next)) continue
      steps.push(`start ${next}`)
      if (bad?.member === next) {
        ended = { name: next, end: "failure", said: SAID_OF_START[bad.how] }
        bad = undefined
        break
      }
      up.add(next)
    }
  }
  return { ...before, steps, up: [...alive], counted, escalated: false }
}

/** Compares what was seen with what must be. */
export const follows = (log: ReadonlyArray<string>, steps: ReadonlyArray<Step>): boolean => {
  let at = 0
  for (const step of steps) {
    const lines = typeof step === "string" ? new Set([step]) : step
    const seen = log.slice(at, at + lines.size)
    if (new Set(seen).size !== lines.size || !seen.every((line) => lines.has(line))) return false
    at += lines.size
  }
  return at === log.length
}
