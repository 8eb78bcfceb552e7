import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { operations } from '../../protocol/api/operations.ts'
import { withGrammar } from '../../scripts/api-grammar.ts'

const readme = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')

it('is in the README as the table of operations has it', () => {
  expect(withGrammar(readme), 'node scripts/api-grammar.ts writes it anew').toBe(readme)
})

it('names every operation once', () => {
  const told = [...readme.matchAll(/^([a-z-]+(?:\.[a-z-]+)+) {2}\((\w+)\)$/gm)].map(([, name, rule]) => [
    name,
    rule,
  ])
  expect(told).toEqual(Object.entries(operations).map(([name, { rule }]) => [name, rule]))
})
