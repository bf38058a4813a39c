/**
 * Another mob of the same store, which is written a little and destroyed now and then.
 */
import { Effect } from "effect"
import { MobId } from "../../../sdk/ids.ts"
import type { MobLog, StoreError, StoreShape } from "../../../sdk/store.ts"
import { submit } from "../logs.ts"
import { namesIn, wrong } from "./contract-truth.ts"

const mob = MobId.make("other")

/** Whole, with or without what is in doubt; gone only if destroying it was begun. */
export class OtherMob {
  #names: ReadonlyArray<string> = []
  #doubt: string | undefined
  #destroying = false

  write(store: StoreShape, name: string): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const log = yield* this.hold(store)
      const names = [...this.#names, name]
      this.#doubt = name
      yield* submit(log, [{
        aggregate: "run/other",
        revision: names.length,
        at: 1,
        facts: [{ name }],
        events: [],
        snapshot: () => ({ names }),
        terminal: false
      }])
      this.#is(names)
    })
  }

  destroy(store: StoreShape): Effect.Effect<void, StoreError> {
    this.#destroying = true
    return Effect.map(store.destroy(mob), () => this.#is([]))
  }

  /** Becomes its owner and looks; what is found is known from then on. */
  hold(store: StoreShape): Effect.Effect<MobLog, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const log = yield* store.acquire(mob)
      const found = namesIn(yield* log.load("run/other"))
      const may = [
        this.#names,
        ...this.#doubt === undefined ? [] : [[...this.#names, this.#doubt]],
        ...this.#destroying ? [[]] : []
      ]
      if (!may.some((names) => names.join() === found.join())) {
        yield* wrong(`the other mob holds ${found}, not ${this.#names}`)
      }
      this.#is(found)
      return log
    })
  }

  #is(names: ReadonlyArray<string>): void {
    this.#names = names
    this.#doubt = undefined
    this.#destroying = false
  }
}
