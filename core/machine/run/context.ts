/**
 * What paths of a run see: its parameters, the outputs of its steps, the iterations of its loops.
 *
 * Outputs are numbered; a context shows those up to a number, so that an `each` step reads the same values whenever
 * one of its items is rendered.
 */
import { HashMap, Option } from "effect"
import type { Json } from "../../../sdk/json.ts"
import type { PathContext } from "./path.ts"
import type { FlowPlan, StepPlan } from "./plan.ts"
import * as Slices from "./slices.ts"
import { bodyFrame, frameIfAny, type FrameState, rootFrame, type RunState } from "./state.ts"

/**
 * The context of a node in `frame`. A step inside a loop is seen in the iteration around the asking node, if it has
 * output there, else in the last iteration that has any output.
 */
export const pathContext = (plan: FlowPlan, state: RunState, frame: string, asOf: number): PathContext => {
  const outputIn = (id: string, node: number): Json | undefined => {
    const instance = frameIfAny(state, id)
    const output = instance === undefined ? undefined : Slices.at(instance.nodes, node).output
    return output !== undefined && output.order <= asOf ? output.value : undefined
  }
  const place = (step: string) => {
    const at: StepPlan["place"] = plan.stepById.get(step)?.place
    return at === undefined ? undefined : { node: at.node, frame: at.frame, loop: plan.frames[at.frame]?.loop }
  }
  const lastBody = (loop: string): string | undefined =>
    Option.getOrUndefined(HashMap.get(state.bodies, loop))?.findLast((it) => it.order <= asOf)?.frame
  return {
    params: state.params,
    step: (step) => {
      const at = place(step)
      if (at === undefined) return undefined
      if (at.loop === undefined) return outputIn(rootFrame(state.run_id), at.node)
      for (
        let around: FrameState | undefined = frameIfAny(state, frame);
        around !== undefined;
        around = around.parent === undefined ? undefined : frameIfAny(state, around.parent.frame)
      ) {
        const here = around.plan === at.frame ? outputIn(around.id, at.node) : undefined
        if (here !== undefined) return here
      }
      const last = lastBody(at.loop)
      return last === undefined ? undefined : outputIn(last, at.node)
    },
    iteration: (loop, iteration, step) => {
      const at = place(step)
      if (at === undefined || at.loop !== loop) return undefined
      // The instance of the loop that gave output last, or the one the asking node is in.
      const last = frameIfAny(state, lastBody(loop) ?? "")
      const parent = last?.parent === undefined ? undefined : frameIfAny(state, last.parent.frame)
      if (last?.parent === undefined || parent === undefined) return undefined
      const node = plan.frames[parent.plan]?.nodes[last.parent.node]
      return node === undefined ? undefined : outputIn(bodyFrame(parent.id, node.id, iteration), at.node)
    }
  }
}
