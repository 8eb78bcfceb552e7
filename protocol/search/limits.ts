/** What bounds a search. Numbers that several rooms share are in protocol/limits.ts. */
export const searchLimits = {
  queryTextBytesMax: 1024,
  /** Distinct terms of one query: a long sentence. Each costs a walk through its postings. */
  queryTermsMax: 32,
  /** Words in quotes that stand one after the other. */
  phraseTermsMax: 8,
  /** Beginnings and near misses of one query: each looks at many words. */
  broadClausesMax: 4,
  /** UTF-8 bytes of what names a part of a query in statistics. */
  clauseBytesMax: 2048,
  /** Of `ha*`: fewer letters begin too many words. */
  prefixCharsMin: 2,
  /** Records in one answer: a frame holds a hundred ordinary ones. */
  hitsMax: 100,
  /** Text of one document that is looked at, in UTF-16 units; a record cannot hold more than this as ASCII. */
  documentCharsMax: 128 * 1024,
  /** Terms of one document that count; what follows is not searchable. The same everywhere, or scores differ. */
  documentTermsMax: 16 * 1024,
  /** UTF-16 units of one term; longer ones (hashes, base64) are cut to it. */
  termCharsMax: 64,
  /** Forwarding a query may take so many steps: leaf, town, country, continent. */
  hopsMax: 4,
  planStepsMax: 64,
  missingScopesMax: 64,
  /** Children asked by one node for one query. */
  scatterWidthMax: 16,
  /** Scopes above the asked one that are looked up when it has no aggregator. */
  ancestorFindsMax: 3,
  /** Entries of one log batch; a frame bounds their bytes. */
  logEntriesMax: 512,
  collectionsMax: 64,
  advertBytesMax: 16 * 1024,
  /** Adverts in one answer: a continent of towns, or what one node was told of. */
  announcementsMax: 64,
} as const
