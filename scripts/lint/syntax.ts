/** As much of the syntax tree as the rules look at. */
import { relative, sep } from 'node:path'

export interface Node {
  readonly type: string
}
interface Literal extends Node {
  readonly value?: unknown
}
export interface Named extends Node {
  readonly name?: string
  readonly value?: unknown
  /** Of a member, such as `globalThis.Date`. */
  readonly property?: Named
}
export interface ImportLike extends Node {
  readonly source?: Literal | null
  readonly argument?: { readonly literal?: Literal } & Literal
  readonly specifiers?: readonly (Node & { readonly imported?: Named; readonly local?: Named })[]
}
export interface Member extends Node {
  readonly object: Named
  readonly property: Named
  readonly computed: boolean
}
export interface CallLike extends Node {
  readonly callee: Named
  readonly arguments: readonly unknown[]
}
export interface Pattern extends Node {
  readonly properties?: readonly { readonly key?: Named; readonly computed?: boolean }[]
}
export interface Context {
  readonly filename: string
  readonly cwd: string
  report(problem: { readonly node: unknown; readonly message: string }): void
}

export function pathOf(context: Context): string {
  return relative(context.cwd, context.filename).split(sep).join('/')
}

export function roomOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

/** `Date` of both `Date` and `globalThis.Date`. */
export function nameOf(node: Named | null | undefined): string {
  return node?.name ?? node?.property?.name ?? ''
}

/** Calls `check` with every module name a file names: import, export from, import(), import('x').T. */
export function onImport(check: (node: ImportLike, name: string) => void) {
  const visit = (node: ImportLike): void => {
    const name = node.source?.value ?? node.argument?.literal?.value ?? node.argument?.value
    if (typeof name === 'string') check(node, name)
  }
  return {
    ImportDeclaration: visit,
    ExportNamedDeclaration: visit,
    ExportAllDeclaration: visit,
    ImportExpression: visit,
    TSImportType: visit,
  }
}
