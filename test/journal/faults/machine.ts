/**
 * A machine that loses power at a seeded moment, or whose process is killed. The process sees the disk under a path that
 * names the machine and the life, `/machine-<number>/life-<number>`: after its end it writes and hears nothing any more.
 */
import { Folder } from "./disk.ts"
import { Random } from "./random.ts"

/** What a machine does not do although it says so; for tests of the test. */
export type Lie = "batch" | "file" | "folder"

/** Where a path leads. */
export interface Place {
  readonly machine: Machine
  readonly life: number
  /** What all paths of this life begin with. */
  readonly root: string
  /** Names below the root of the disk. */
  readonly names: ReadonlyArray<string>
}

/** Thrown into code that runs on after the end of its life. */
class LifeOver extends Error {}

/** A machine, its disk, and the life on it. */
export class Machine {
  static readonly #all = new Map<number, Machine>()
  /** No number is given twice: what runs on after the end of one machine must not be on the next. */
  static #made = 0
  readonly disk = new Folder()
  readonly lies: ReadonlySet<Lie>
  readonly random: Random
  /** Batches that fail from now on, one in this many; 0: none. */
  failing = 0
  readonly #number: number
  #life = 0
  #on = false
  #left = 0
  #end: "power" | "kill" = "power"
  #lost: () => void = () => {}

  constructor(seed: number, lies: ReadonlyArray<Lie> = []) {
    this.random = new Random(seed)
    this.lies = new Set(lies)
    this.#number = ++Machine.#made
    Machine.#all.set(this.#number, this)
  }

  /** Where a path leads; undefined if it is none of a machine. */
  static at(path: unknown): Place | undefined {
    const [, root = "", number, life, rest = ""] = typeof path === "string" ? pathText.exec(path) ?? [] : []
    const machine = Machine.#all.get(Number(number))
    return machine && { machine, life: Number(life), root, names: rest.split("/").filter((name) => name !== "") }
  }

  /** Begins a life of at most `moment` steps; `kill`: its end is that of the process, and the disk keeps its cache. */
  start(moment: number, end: "power" | "kill"): { readonly dir: string; readonly lost: Promise<void> } {
    this.#life++
    this.#on = true
    this.#left = moment
    this.#end = end
    const lost = new Promise<void>((resolve) => {
      this.#lost = resolve
    })
    return { dir: `/machine-${this.#number}/life-${this.#life}/data`, lost }
  }

  isOn(life: number): boolean {
    return this.#on && life === this.#life
  }

  /** A moment between two things that the disk does. Throws after the end. */
  step(life: number): void {
    this.assertOn(life)
    if (--this.#left > 0) return
    this.stop(life)
    throw new LifeOver()
  }

  assertOn(life: number): void {
    if (!this.isOn(life)) throw new LifeOver()
  }

  /** Ends a life now, as it was to end. */
  stop(life: number): void {
    if (!this.isOn(life)) return
    this.#on = false
    if (this.#end === "power") this.disk.survive(this.random)
    this.#lost()
  }

  /** Does something after a while. After the end there is no answer, ever. */
  async slowly<A>(life: number, act: () => A): Promise<A> {
    for (let turns = this.random.below(3); turns >= 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    try {
      this.assertOn(life)
      return act()
    } catch (error) {
      if (error instanceof LifeOver) return new Promise<never>(() => {})
      throw error
    }
  }

  /** The machine is not needed any more. */
  scrap(): void {
    this.#on = false
    Machine.#all.delete(this.#number)
  }
}

const pathText = /^(\/machine-(\d+)\/life-(\d+))(\/.*)?$/
