/**
 * Input ids: `<run>/<node path>/<iteration>/<lane>/<attempt>`.
 *
 * The node path is the node ids from the root frame to the node, the iteration those of the loops around it, outermost
 * first (`0` in the root frame); the lane is a target's identity or an item's index; attempts count from 1. `/` and `%`
 * inside an id are percent-encoded, so that no two inputs share an id.
 */
import type { Identity, InputId, RunId } from "../../../sdk/ids.ts"
import type { FlowPlan } from "./plan.ts"
import { bodyFrame, frameIfAny, frameOf, type FrameState, nodePlanOf, rootFrame, type RunState } from "./state.ts"

/** Where an input belongs. */
interface Address {
  readonly frame: string
  readonly node: number
  readonly lane: string
  readonly attempt: number
}

const encode = (id: string): string =>
  id.includes("%") || id.includes("/") ? id.replaceAll("%", "%25").replaceAll("/", "%2F") : id

const decode = (id: string): string => id.includes("%") ? id.replaceAll("%2F", "/").replaceAll("%25", "%") : id

/** The id of an attempt of a lane. */
export const inputId = (
  plan: FlowPlan,
  state: RunState,
  frame: string,
  node: number,
  lane: Identity | number,
  attempt: number
): InputId => {
  let at: FrameState = frameOf(state, frame)
  let path = encode(nodePlanOf(plan, at, node).id)
  let iterations = ""
  for (let parent = at.parent; parent !== undefined; parent = at.parent) {
    at = frameOf(state, parent.frame)
    path = `${encode(nodePlanOf(plan, at, parent.node).id)}/${path}`
    iterations = iterations === "" ? String(parent.iteration) : `${parent.iteration}.${iterations}`
  }
  const name = typeof lane === "number" ? String(lane) : encode(lane)
  // An InputId by construction: it is not empty. Checking it again would cost more than making it.
  return `${state.run_id}/${path}/${iterations === "" ? "0" : iterations}/${name}/${attempt}` as InputId
}

/** Finds the place of an input of this run; undefined for an id that the run cannot have made. */
export const addressOf = (plan: FlowPlan, state: RunState, input: InputId): Address | undefined => {
  const run: RunId = state.run_id
  if (!input.startsWith(`${run}/`)) return undefined
  const parts = input.slice(run.length + 1).split("/")
  if (parts.length < 4) return undefined
  const attempt = Number(parts.pop())
  const lane = decode(parts.pop() ?? "")
  const iterations = (parts.pop() ?? "").split(".")
  const nodes = parts.map(decode)
  let frame = rootFrame(run)
  nodes.slice(0, -1).forEach((node, depth) => {
    frame = bodyFrame(frame, node, Number(iterations[depth]))
  })
  const instance = frameIfAny(state, frame)
  const last = nodes.at(-1)
  if (instance === undefined || last === undefined) return undefined
  const node = plan.frames[instance.plan]?.byId.get(last)
  return node === undefined ? undefined : { frame, node, lane, attempt }
}
