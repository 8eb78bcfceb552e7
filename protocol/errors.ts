/**
 * Every failure that crosses a boundary (wire, HTTP, disk, command line) is an `OnehopError` with a code of
 * this closed table. `retryable` says whether the same call may succeed later without the caller changing
 * anything; `help` names the way out. HTTP status and exit code are read from this one table.
 */
export const errorTable = {
  // what the caller sent
  BAD_MESSAGE: { http: 400, retryable: false, help: 'The bytes are not a valid message of this version.' },
  BAD_REQUEST: { http: 400, retryable: false, help: 'Correct the request; the message names what is wrong.' },
  TOO_LARGE: {
    http: 413,
    retryable: false,
    help: 'Send less at once; limits are listed in protocol/README.md.',
  },
  BAD_SIGNATURE: { http: 422, retryable: false, help: 'Sign again with the key that the message names.' },
  BAD_SCHEMA: { http: 422, retryable: false, help: 'Mend the schema at the path that the message names.' },
  INCOMPATIBLE_SCHEMA: {
    http: 409,
    retryable: false,
    help: 'Publish the change under a new app id, or make the additions optional.',
  },
  UNKNOWN_SCHEMA: { http: 404, retryable: false, help: 'Send the schema first: onehop schema apply FILE.' },
  UNKNOWN_COLLECTION: { http: 404, retryable: false, help: 'Use a collection that the schema declares.' },
  UNKNOWN_VIEW: { http: 404, retryable: false, help: 'Use a view that the schema declares.' },
  BAD_FIELD: {
    http: 422,
    retryable: false,
    help: 'Give the field a value of the type that the schema declares.',
  },
  CLOCK_AHEAD: { http: 409, retryable: true, help: 'Set the clock of the writing device, then write again.' },
  EXPIRED: { http: 410, retryable: false, help: 'Make a new one; this one has passed its time.' },
  // who the caller is
  UNAUTHENTICATED: {
    http: 401,
    retryable: false,
    help: 'Open a session with a device key, or give the admin token.',
  },
  FORBIDDEN: {
    http: 403,
    retryable: false,
    help: 'Ask the owner to admit this device or grant it the capability.',
  },
  UNKNOWN_IDENTITY: {
    http: 404,
    retryable: true,
    help: 'Send the identity log first, or ask a node that holds the shard.',
  },
  BAD_IDENTITY: {
    http: 422,
    retryable: false,
    help: 'The identity log breaks a rule; the message names the entry.',
  },
  REVOKED: {
    http: 403,
    retryable: false,
    help: 'This device was revoked. It comes back under another key: pair it again, or onehop recover.',
  },
  EQUIVOCATION: {
    http: 409,
    retryable: false,
    help: 'This device used one number twice. Give it a new key: onehop devices renew.',
  },
  // what the node holds
  NOT_FOUND: { http: 404, retryable: false, help: 'Check the name; nothing is stored under it.' },
  NOT_HOSTED: {
    http: 404,
    retryable: false,
    help: 'Ask a member of the replica set: GET /.well-known/onehop/ID.',
  },
  NO_QUOTA: {
    http: 507,
    retryable: false,
    help: 'Whoever runs the node gives more room (onehop quota). Or free some space.',
  },
  STALE: { http: 409, retryable: true, help: 'Fetch the newer version and try again.' },
  LAGGING: { http: 503, retryable: true, help: 'This replica has not caught up; ask another one or wait.' },
  // pairing
  PAIRING_BURNT: { http: 410, retryable: false, help: 'Show a new QR: onehop pair.' },
  PAIRING_LOCKED: { http: 423, retryable: false, help: 'Unlock at the node: onehop pair --unlock.' },
  // the machine and the network
  UNREACHABLE: {
    http: 504,
    retryable: true,
    help: 'The other node cannot be reached now; it is tried again.',
  },
  TIMEOUT: { http: 504, retryable: true, help: 'It took too long; try again.' },
  BUSY: { http: 429, retryable: true, help: 'Slow down and try again.' },
  ABORTED: { http: 499, retryable: true, help: 'The call was cancelled.' },
  CLOSED: { http: 503, retryable: true, help: 'The node is closing; ask another one.' },
  STORE_LOCKED: {
    http: 503,
    retryable: false,
    help: 'Another process has this store open: stop it, or use another --state folder.',
  },
  STORE_FULL: { http: 507, retryable: true, help: 'Free some space on the disk; reads go on meanwhile.' },
  STORE_UNWRITABLE: {
    http: 500,
    retryable: false,
    help: 'Give this user the right to write the state folder.',
  },
  STORE_CORRUPT: {
    http: 500,
    retryable: false,
    help: 'Stop the node and run onehop verify: it mends what can be mended, and other holders bring the rest.',
  },
  STORE_VERSION: {
    http: 500,
    retryable: false,
    help: 'This store was written by a newer release; update onehop.',
  },
  PORT_IN_USE: {
    http: 500,
    retryable: false,
    help: 'Choose another port, such as 0 for any that is free, or stop what listens there.',
  },
  BAD_CONFIG: {
    http: 500,
    retryable: false,
    help: 'Correct the setting that the message names: onehop config show.',
  },
  NOT_RUNNING: { http: 503, retryable: true, help: 'Start the daemon: onehop start.' },
  UNSUPPORTED: { http: 501, retryable: false, help: 'This release cannot do it yet; see the README.' },
  INTERNAL: { http: 500, retryable: false, help: 'A fault in onehop: please report it with the log.' },
} as const

export type ErrorCode = keyof typeof errorTable

export class OnehopError extends Error {
  override readonly name = 'OnehopError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly help: string

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; help?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = errorTable[code].retryable
    this.help = options?.help ?? errorTable[code].help
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorTable, code)
}

/** Any thrown thing as an OnehopError: ours as it is, an abort as ABORTED, the rest as INTERNAL with its cause. */
export function asOnehopError(error: unknown): OnehopError {
  if (error instanceof OnehopError) return error
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new OnehopError('TIMEOUT', 'timed out', { cause: error })
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new OnehopError('ABORTED', 'cancelled', { cause: error })
  }
  return new OnehopError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error })
}
