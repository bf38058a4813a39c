/**
 * Time limits on the one wheel: an effect and the milliseconds it may take.
 */
import { Effect, type Fiber } from "effect"
import { Deadline, type Deadlines } from "./deadlines.ts"

/** Calls `give` when it is due. */
export class Overdue extends Deadline {
  private readonly give: () => void

  constructor(give: () => void) {
    super()
    this.give = give
  }

  override due(): void {
    this.give()
  }
}

/** Runs `effect` with the time a cell may take; what is left over is interrupted and not waited for. */
export const within = (
  fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
  deadlines: Deadlines,
  millis: number,
  effect: Effect.Effect<void>
): Effect.Effect<void> => {
  if (!Number.isFinite(millis)) return effect
  return Effect.callback<void>((resume) => {
    const fiber = fork(effect)
    if (fiber.pollUnsafe() !== undefined) return resume(Effect.void)
    const overdue = new Overdue(() => {
      resume(Effect.void)
      fiber.interruptUnsafe()
    })
    deadlines.add(overdue, millis)
    fiber.addObserver(() => {
      deadlines.remove(overdue)
      resume(Effect.void)
    })
  })
}
