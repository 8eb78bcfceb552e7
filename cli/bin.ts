#!/usr/bin/env node
/**
 * Must start on any Node that knows ES modules, to say which one is needed: plain old syntax, and nothing imported
 * before the version is known to do. test/house/package.test.ts holds `needed` to package.json's engines.
 */
const needed: readonly number[] = [24, 12]
const found = process.versions.node.split('.').map(Number)
const major = found[0] as number
const minor = found[1] as number

if (major > (needed[0] as number) || (major === needed[0] && minor >= (needed[1] as number))) {
  import('./main.ts')
    .then(function run(cli) {
      return cli.main(process.argv.slice(2)).then(function end(code) {
        process.exitCode = code
      })
    })
    .catch(function fail(error: unknown) {
      console.error(error)
      process.exitCode = 1
    })
} else {
  console.error(
    'onehop needs Node ' +
      needed.join('.') +
      ' or later; this is ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').',
  )
  console.error(
    'Put a newer one first on PATH (https://nodejs.org), for instance: npx --package=node@24 onehop',
  )
  process.exitCode = 2
}

export {}
