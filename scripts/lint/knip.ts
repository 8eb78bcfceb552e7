/**
 * Runs knip, which needs the JavaScript API that TypeScript 7 no longer has: its `typescript` is our `typescript-5`.
 */
import { registerHooks } from 'node:module'

registerHooks({
  resolve: (name, context, next) => next(name === 'typescript' ? 'typescript-5' : name, context),
})

await import('../../node_modules/knip/dist/cli.js' as string)
