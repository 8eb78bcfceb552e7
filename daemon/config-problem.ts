/** A setting that does not fit, in the words of a person who sets it. */
import type * as v from 'valibot'
import { nearestWord } from '../protocol/schema/problem.ts'

const shownMax = 80

/** `path` as dots spell it; `known` are all settings there are. Reads on after the setting's name. */
export function describeSetting(
  issue: v.BaseIssue<unknown>,
  path: string,
  known: readonly string[],
): { readonly setting: string; readonly problem: string } {
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const setting = leafOf(path, issue.path?.at(-1)?.value)
    const near = nearestWord(setting, known) ?? known.find((one) => one.endsWith(`.${setting}`))
    return {
      setting,
      problem: `there is no such setting${near === undefined ? '' : `; did you mean ${near}?`}`,
    }
  }
  const shown = JSON.stringify(issue.input) ?? String(issue.input)
  const cut = shown.length > shownMax ? `${shown.slice(0, shownMax)}…` : shown
  return { setting: path, problem: `must be ${fitting(issue)}, not ${cut}` }
}

/** `--set listn.http=1` makes an object of an unknown key: its one leaf is what was typed. */
function leafOf(path: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return path
  const [entry, ...others] = Object.entries(value)
  return entry === undefined || others.length > 0 ? path : leafOf(`${path}.${entry[0]}`, entry[1])
}

function fitting(issue: v.BaseIssue<unknown>): string {
  const { type, requirement, expected } = issue as v.BaseIssue<unknown> & { readonly requirement?: unknown }
  switch (type) {
    case 'min_value':
      return `${String(requirement)} or more`
    case 'max_value':
      return `${String(requirement)} or less`
    case 'integer':
      return 'a whole number'
    case 'number':
      return 'a number'
    case 'string':
      return 'text'
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'a list, such as ["a", "b"]'
    case 'strict_object':
      return 'an object of settings'
    case 'picklist':
      return `one of ${(expected ?? '').replaceAll(/[()"]/g, '').replaceAll(' | ', ', ')}`
    case 'min_length':
      return 'some text'
    case 'max_length':
      return `at most ${String(requirement)} characters`
    case 'union':
      return 'nobody, anyone, or a list of node ids of 64 hex digits'
    default:
      // What the check itself says: "a scope such as …".
      return issue.message
  }
}
