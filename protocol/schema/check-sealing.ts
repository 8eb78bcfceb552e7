import type { Field } from './schema.ts'

/** What is wrong with the files that a field names, and what would be right. */
interface SealingFault {
  readonly message: string
  readonly fix: string
}

/**
 * A file in a section that is sealed is sealed itself, else anybody who learns its name reads it; and a key in a
 * public section would be anybody's. Asked before writing alone: what others wrote is read as it is. The value was
 * checked against its type.
 */
export function checkSealing(field: Field, value: unknown): SealingFault | undefined {
  const { type, of } = field.document
  if (type !== 'blob' && of?.type !== 'blob') return undefined
  const files = type === 'blob' ? [value] : Object.values(value as Readonly<Record<string, unknown>>)
  for (const file of files) {
    const isSealed = (file as { readonly key?: Uint8Array }).key !== undefined
    if (isSealed && field.audience === 'public')
      return {
        message: 'is public, and names a sealed file with its key',
        fix: 'Upload the file without { sealed: true }',
      }
    if (!isSealed && field.audience !== 'public')
      return {
        message: 'is sealed, and names a file that is not',
        fix: 'Upload the file with { sealed: true }',
      }
  }
  return undefined
}
