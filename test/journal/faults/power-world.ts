/**
 * Lives of a journal on a machine that loses power: each opens what the one before left, looks whether all that was
 * acknowledged is there and nothing half, and goes on writing until the power goes again.
 */
import { Clock, Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { deepStrictEqual } from "node:assert"
import { survey } from "../../../core/journal/copy/survey.ts"
import { type Commit, CommitSeam, JournalLevel } from "../../../core/journal/index.ts"
import { lookAtLevel } from "../../../core/journal/level.ts"
import { readContents } from "../../../core/journal/open-database.ts"
import { isThere } from "../../../core/journal/registry.ts"
import { MobId } from "../../../sdk/ids.ts"
import { Journal } from "../../../sdk/store.ts"
import { Folder } from "./disk.ts"
import { type Lie, Machine } from "./machine.ts"
import { type Mob, Owner, type Surroundings } from "./power-script.ts"
import { Truth } from "./power-truth.ts"
import { Random } from "./random.ts"

/** What the seeds came to. */
export class Tally {
  readonly counts = new Map<string, number>()
  add(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

/** What is wrong with the journal that is tested, so that the test must say so. */
export interface Broken {
  readonly lies?: ReadonlyArray<Lie>
  readonly wrap?: (commit: Commit) => Commit
}

/** Plays one seed. Rejects with what must not have happened. */
export const play = async (seed: number, tally: Tally, broken: Broken = {}): Promise<void> => {
  const world = new World(seed, tally, broken)
  try {
    for (let losses = 1 + world.random.below(3); losses > 0; losses--) await world.live()
    await world.end()
  } catch (error) {
    throw new Error(`seed ${seed}, life ${world.life}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error
    })
  } finally {
    world.machine.scrap()
  }
}

class World {
  readonly machine: Machine
  readonly random: Random
  readonly #tally: Tally
  readonly #broken: Broken
  readonly #mobs = ["left", "middle", "right"].map((name): Mob => ({
    name: MobId.make(name),
    truth: new Truth(),
    there: "no",
    epoch: 0,
    former: new Set()
  }))
  life = 0
  #end: "power" | "kill" = "power"

  constructor(seed: number, tally: Tally, broken: Broken) {
    this.random = new Random(seed)
    this.machine = new Machine(this.random.below(2 ** 32), broken.lies)
    this.#tally = tally
    this.#broken = broken
  }

  /** A life that the loss of power ends, or seldom its owner. */
  async live(): Promise<void> {
    const { random } = this
    const inCallback = random.oneIn(5) ? 1 + random.below(40) : 0
    const moment = inCallback > 0 ? Infinity : 1 + random.below(random.pick([12, 60, 200, 400]))
    this.#end = random.oneIn(5) ? "kill" : "power"
    await this.#lived(moment, (dir, life) => this.#life(dir, life, inCallback))
  }

  /** A life without a fault, to its end; then nothing is on the disk that should not be. */
  async end(): Promise<void> {
    await this.#lived(Infinity, (dir, life) =>
      Effect.gen({ self: this }, function*() {
        const { close, owners } = yield* this.#open(dir, life, 0)
        for (const owner of owners) yield* owner.end
        yield* close
      }))
    await this.#lived(Infinity, (dir) => this.#look(dir))
  }

  async #lived(
    moment: number,
    program: (dir: string, life: number) => Effect.Effect<void, unknown>
  ): Promise<void> {
    const life = ++this.life
    const { dir, lost } = this.machine.start(moment, this.#end)
    const running = Effect.runPromise(
      program(dir, life).pipe(
        Effect.provideService(Clock.Clock, hasty(() => this.machine.isOn(life))),
        Effect.provide(silent)
      )
    ).catch((error: unknown) => {
      // What runs on without power may end as it likes.
      if (this.machine.isOn(life)) throw error
    })
    await Promise.race([lost.then(() => this.#tally.add(`ended by ${this.#end}`)), running])
  }

  #open(dir: string, life: number, inCallback: number) {
    return Effect.gen({ self: this }, function*() {
      const { machine } = this
      machine.failing = 0
      let heard = 0
      let violation: unknown
      const scope = yield* Scope.make()
      const layer = JournalLevel.layer({ dir }).pipe(
        Layer.provide(Layer.succeed(CommitSeam, this.#broken.wrap ?? ((commit) => commit)))
      )
      const store = Context.get(yield* Layer.buildWithScope(layer, scope), Journal)
      const around: Surroundings = {
        life,
        store,
        random: this.random.fork(),
        isOn: () => machine.isOn(life),
        mayFail: () => machine.failing > 0,
        heard: (what) => {
          if (!machine.isOn(life)) return
          this.#tally.add(what)
          if (++heard !== inCallback) return
          this.#tally.add("ended in a callback")
          machine.stop(life)
        },
        violated: (error) => {
          if (machine.isOn(life)) violation ??= error
        }
      }
      const owners = this.#mobs.map((mob) => new Owner(mob, around))
      for (const owner of owners) yield* owner.begin
      const close = Effect.gen(function*() {
        if (violation !== undefined) throw violation
        yield* Scope.close(scope, Exit.void)
      })
      return { close, owners }
    })
  }

  #life(dir: string, life: number, inCallback: number): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const { machine, random } = this
      const { close, owners } = yield* this.#open(dir, life, inCallback)
      machine.failing = random.oneIn(4) ? 25 : 0
      yield* Effect.forEach(owners, (owner) => owner.act, { concurrency: "unbounded", discard: true })
      if (random.oneIn(3)) {
        return machine.stop(life)
      }
      for (const owner of owners) yield* owner.end
      machine.failing = 0
      yield* close
      this.#tally.add("closed")
    })
  }

  #look(dir: string): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const database = yield* lookAtLevel(dir).open
      const wrong: Array<string> = []
      yield* survey(database, (where, what) => wrong.push(`${String(where)}: ${what}`))
      const contents = yield* readContents(database, dir)
      yield* database.close
      deepStrictEqual(wrong, [], "what a survey finds")
      const numbers = [...contents?.mobs.values() ?? []].filter(isThere).map(({ mobNo }) => String(mobNo))
      const data = this.machine.disk.entries.get("data")
      const blobs = data instanceof Folder ? data.entries.get("blobs") : undefined
      const left = blobs instanceof Folder ? [...blobs.entries.keys()].filter((name) => !numbers.includes(name)) : []
      deepStrictEqual(left, [], "blobs that are nobody's")
    })
  }
}

/** A clock on which every sleep is short, as nothing here is about how long it takes; after the life none ends. */
const hasty = (isOn: () => boolean): Clock.Clock => ({
  currentTimeMillisUnsafe: () => 0,
  currentTimeMillis: Effect.succeed(0),
  currentTimeNanosUnsafe: () => 0n,
  currentTimeNanos: Effect.succeed(0n),
  monotonicTimeNanosUnsafe: () => 0n,
  monotonicTimeNanos: Effect.succeed(0n),
  sleep: () => Effect.callback<void>((resume) => void setImmediate(() => isOn() && resume(Effect.void)))
})

const silent = Logger.layer([])
