/**
 * Conformance kits: the published contracts as tests that any implementation can run against itself, under any runner.
 * What holds comes out as a report of numbered clauses.
 */
export { ClauseResult, ConformanceReport } from "./report.ts"
export { type StoreFaults, type StorePlace } from "./store/clause.ts"
export {
  type RegisterTest,
  type StoreConformance,
  storeConformance,
  type StoreConformanceOptions
} from "./store/conformance.ts"
