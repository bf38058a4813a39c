import { defineConfig } from "vitest/config"

const conditions = ["mobwright-source", "node", "import", "default"]

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    maxWorkers: 2
  }
})
