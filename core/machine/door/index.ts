/**
 * The door machine: the only way to a member's bridge. In memory, rebuilt from the owners of its inputs. Pure.
 */
export { decideDoor, type DoorDecision, startDoor } from "./decide.ts"
export { type DoorEntry, doorInitial, type DoorState } from "./state.ts"
