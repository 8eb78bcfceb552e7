/** Of messages of the methods in *Search between nodes* what is refused. */
export function refusedBetweenNodes(
  node: Uint8Array,
  valid: Readonly<Record<string, Uint8Array>>,
): [name: string, kind: string, value: unknown][] {
  const many = <T>(times: number, item: T): T[] => Array.from({ length: times }, () => item)
  const changes = (
    kind: string,
    good: readonly unknown[],
    cases: Readonly<Record<string, readonly [at: number, value: unknown]>>,
  ): [string, string, unknown][] => [
    ...Object.entries(cases).map(([name, [at, value]]): [string, string, unknown] => [name, kind, good.with(at, value)]),
    ['a thing too many', kind, [...good, null]],
    ['a thing too few', kind, good.slice(0, -1)],
  ]
  const one = Uint8Array.of(1)
  return [
    ...changes('registration', [1, 'example', '/geo/africa', '/geo/africa/ng', 0, [7, 12]], {
      'version of tomorrow': [0, 2],
      'no app': [1, ''],
      'an app of 65 bytes': [1, 'a'.repeat(65)],
      'a parent that is no scope': [2, 'geo/africa'],
      'a scope of dots': [3, '/geo/..'],
      'a kind 2': [4, 2],
      'a head without a position': [5, [7]],
      'a negative position': [5, [7, -1]],
      'an epoch beyond 2^53': [5, [2n ** 53n, 12]],
      'no head': [5, null],
    }),
    ...changes('acknowledgement', [[7, 12], 512], {
      'a credit beyond a batch': [1, 513],
      'a negative credit': [1, -1],
      'no cursor': [0, null],
      'a cursor with three numbers': [0, [7, 12, 1]],
    }),
    ...changes('statisticsRequest', [1, 'example', null, '/geo', 1, ['jazz']], {
      'version of tomorrow': [0, 2],
      'no app': [1, ''],
      'a collection without a name': [2, ''],
      'upper-case scope': [3, '/Geo'],
      'an analyser 2': [4, 2],
      '33 terms': [5, Array.from({ length: 33 }, (_, at) => `t${at}`)],
      'a term in bytes': [5, [one]],
    }),
    ...changes('announcements', [1, [[valid['advert'], []]]], {
      'version of tomorrow': [0, 2],
      '65 adverts': [1, many(65, [one, []])],
      'an advert of no bytes': [1, [[new Uint8Array(), []]]],
      'an advert that is not wrapped in bytes': [1, [[[], []]]],
      '65 scopes missing': [1, [[valid['advert'], many(65, '/geo')]]],
      'a missing scope of dots': [1, [[valid['advert'], ['/geo/..']]]],
      'an advert without its list': [1, [[valid['advert']]]],
    }),
    ...changes('append', [1, 0, [one], valid['batch']], {
      'version of tomorrow': [0, 2],
      'a kind 2': [1, 2],
      '513 logs': [2, many(513, one)],
      'a log of no bytes': [2, [new Uint8Array()]],
      'null for a log': [2, [null]],
      'no batch': [3, null],
      'a batch of no bytes': [3, new Uint8Array()],
    }),
    ['129 identities', 'identities', many(129, node)],
    ['an identity of 31 bytes', 'identities', [node.subarray(1)]],
    ['null for an identity', 'identities', [null]],
    ['129 logs', 'identityLogs', many(129, null)],
    ['a log of no bytes', 'identityLogs', [new Uint8Array()]],
    ['false for none', 'identityLogs', [false]],
  ]
}
