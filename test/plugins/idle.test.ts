import { afterEach, beforeEach, expect, it, vi } from "@effect/vitest"
import { IdleWatch } from "../../plugins/subprocess/idle.ts"

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }))
afterEach(() => vi.useRealTimers())

/** A watch with a limit of 400 ms, the number of turns in flight, and how often it found silence. */
const watching = () => {
  const state = { inFlight: 0, silences: 0 }
  const watch = new IdleWatch(400, () => state.inFlight, () => state.silences += 1)
  const deliver = () => {
    watch.watch()
    state.inFlight += 1
  }
  return { state, watch, deliver }
}

it("silence counts from the last sign while a turn is in flight", () => {
  const { deliver, state, watch } = watching()
  deliver()
  vi.advanceTimersByTime(300)
  watch.sign()
  vi.advanceTimersByTime(399)
  expect(state.silences).toBe(0)
  vi.advanceTimersByTime(2)
  expect(state.silences).toBe(1)
})

it("silence between turns does not count, also when the next turn begins just before the old timer fires", () => {
  const { deliver, state } = watching()
  deliver()
  state.inFlight = 0
  vi.advanceTimersByTime(395)
  deliver()
  vi.advanceTimersByTime(399)
  expect(state.silences).toBe(0)
  vi.advanceTimersByTime(10)
  expect(state.silences).toBe(1)
})

it("nothing is armed while no turn is in flight, or without a limit, or after it was stopped", () => {
  const { deliver, state, watch } = watching()
  deliver()
  state.inFlight = 0
  vi.advanceTimersByTime(1000)
  expect(vi.getTimerCount()).toBe(0)
  deliver()
  watch.stop()
  new IdleWatch(undefined, () => 1, () => {}).watch()
  expect(vi.getTimerCount()).toBe(0)
})
