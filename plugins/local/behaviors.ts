/**
 * Finding a behaviour: by the name it was registered under, or in a module by its path.
 */
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Behavior } from "../../sdk/behavior.ts"

/** Why there is no behaviour. */
interface NotFound {
  readonly cause_code: "behavior_missing" | "behavior_invalid"
  readonly reason: string
}

const missing = (reason: string): NotFound => ({ cause_code: "behavior_missing", reason })
const invalid = (reason: string): NotFound => ({ cause_code: "behavior_invalid", reason })

/** Loads the behaviour that a module exports as `default` or `behavior`. TypeScript runs by Node's type stripping. */
const load = (path: string): Effect.Effect<Behavior, NotFound> =>
  Effect.gen(function*() {
    if (!existsSync(path)) return yield* Effect.fail(missing(`there is no file ${path}`))
    const loaded: { readonly default?: unknown; readonly behavior?: unknown } = yield* Effect.tryPromise({
      try: () => import(pathToFileURL(path).href),
      catch: (error) => invalid(`${path} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`)
    })
    const found = [loaded.default, loaded.behavior].find(Behavior.isBehavior)
    // What a module's behaviour needs cannot be known here: a service that it lacks is a defect of its turn.
    if (found !== undefined) return found as Behavior
    return yield* Effect.fail(
      invalid(`${path} exports no behaviour as default or as behavior; make one with Behavior.make`)
    )
  })

/** Finds behaviours among the registered ones and in files. Each file is loaded once. */
export const behaviorFinder = <R>(
  registered: { readonly [name: string]: Behavior<R> }
): (name: string, base: string) => Effect.Effect<Behavior, NotFound> => {
  const loaded = new Map<string, Behavior>()
  return (name, base) =>
    Effect.suspend(() => {
      const known = Object.hasOwn(registered, name) ? registered[name] : undefined
      // The bridge runs it with the services it was made with, which are R.
      if (known !== undefined) return Effect.succeed(known as Behavior)
      if (!/[/\\]|\.[cm]?[jt]s$/.test(name)) {
        const names = Object.keys(registered).sort().join(", ")
        const offer = names === "" ? "none is registered" : `registered are ${names}`
        return Effect.fail(missing(`no behaviour is registered as "${name}" (${offer}), and it is no path of a module`))
      }
      const path = resolve(base, name)
      const before = loaded.get(path)
      if (before !== undefined) return Effect.succeed(before)
      return Effect.tap(load(path), (behavior) => Effect.sync(() => loaded.set(path, behavior)))
    })
}
