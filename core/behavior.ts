/**
 * `Behavior` as programs see it: what a member does with an input, as in the SDK, and what a cell does with a message.
 */
import { Behavior as MemberBehavior } from "../sdk/index.ts"
import { Behavior as CellBehavior } from "./actor/index.ts"

/** A member's behaviour that needs the services `R`. Made by `Behavior.make`. */
export type Behavior<R = never> = MemberBehavior<R>

/** Making and recognising members' behaviours, and making cells' behaviours from nact's functions. */
export const Behavior = { ...MemberBehavior, ...CellBehavior }
