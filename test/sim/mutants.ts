/**
 * Faults that somebody might make in our own code, each as a change of one place. The simulator has to notice: `npm run
 * sim -- --mutants`. A mutant whose place is not found exactly once is itself a failure: the code has moved on.
 */
export interface Mutant {
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export const mutants: readonly Mutant[] = [
  // What is let in
  {
    name: 'a signature is not checked',
    file: 'protocol/record/verify.ts',
    find: 'if (!crypto.verifyStrict(record.message, record.signature, header.device)) {',
    replace: 'if (header.device.length === 0) {',
  },
  {
    name: 'S + L is accepted',
    file: 'protocol/record/verify.ts',
    find: 'if (!crypto.verifyStrict(record.message, record.signature, header.device)) {',
    replace: `const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const half = BigInt('0x' + toHex(record.signature.slice(32).reverse())) % order
  const reduced = Uint8Array.from({ length: 32 }, (_, i) => Number((half >> BigInt(8 * i)) & 255n))
  if (!crypto.verifyStrict(record.message, Uint8Array.of(...record.signature.slice(0, 32), ...reduced), header.device)) {`,
  },
  {
    name: 'a section may be another than the signed one',
    file: 'protocol/record/verify.ts',
    find: '!equalBytes(crypto.sha256(bytes), expected.hash)',
    replace: 'bytes.length === 0',
  },
  {
    name: 'a stranger may write under the name of a member of no group',
    file: 'protocol/record/verify.ts',
    find: "if (owner.type !== 'group') return refuse",
    replace: "if (owner.type !== 'group') return undefined; else if (owner.type !== 'group') return refuse",
  },
  {
    name: 'no bound on how far ahead a record is dated',
    file: 'protocol/record/clock.ts',
    find: 'return clockMs(clock) > nowMs + limits.clockAheadMsMax',
    replace: 'return clockMs(clock) > nowMs + 10 * limits.clockAheadMsMax',
  },
  {
    name: 'no bound on how old a written record is',
    file: 'daemon/client-rules.ts',
    find: 'clockMs(header.clock) < nowMs - ageMsMax',
    replace: 'clockMs(header.clock) < nowMs - 100 * ageMsMax',
  },
  {
    name: 'a private collection may be written in the open',
    file: 'daemon/client-rules.ts',
    find: 'return open < 0',
    replace: 'return open < 1',
  },
  // What is shown
  {
    name: 'the lower clock wins',
    file: 'storage/winner-entry.ts',
    find: '(compareBytes(a.subarray(0, 8), b.subarray(0, 8)) ||',
    replace: '(compareBytes(b.subarray(0, 8), a.subarray(0, 8)) ||',
  },
  {
    name: 'of two that were written at one moment the lower device wins',
    file: 'storage/winner-entry.ts',
    find: 'compareBytes(a.subarray(refBytes, refBytes + 32), b.subarray(refBytes, refBytes + 32)) ||',
    replace: 'compareBytes(b.subarray(refBytes, refBytes + 32), a.subarray(refBytes, refBytes + 32)) ||',
  },
  {
    name: 'of two that one device wrote at one moment the lower id wins',
    file: 'storage/winner-entry.ts',
    find: 'compareBytes(a.subarray(8, refBytes), b.subarray(8, refBytes))) > 0',
    replace: 'compareBytes(b.subarray(8, refBytes), a.subarray(8, refBytes))) > 0',
  },
  {
    name: 'the last to arrive wins',
    file: 'storage/record-writer.ts',
    find: 'if (before !== undefined && !beats(entry, before)) {',
    replace: 'if (before !== undefined && before.length === 0) {',
  },
  {
    name: 'a tombstone is forgotten',
    file: 'storage/winner-entry.ts',
    find: "bytes[refBytes + 32] = operation === 'delete' ? 1 : 0",
    replace: "bytes[refBytes + 32] = operation === 'delete' ? 0 : 0",
  },
  {
    name: 'a delete does not last: any later arrival shows the item again',
    file: 'storage/record-writer.ts',
    find: 'if (before !== undefined && !beats(entry, before)) {',
    replace: 'if (before !== undefined && isListed(before) && !beats(entry, before)) {',
  },
  {
    name: 'a superseded version is thrown away',
    file: 'storage/record-writer.ts',
    find: '    putOrder(batch, shard, ref, hereValue(bytes))\n    return false',
    replace: '    return false',
  },
  {
    name: 'the version that is outshone is thrown away',
    file: 'storage/record-writer.ts',
    find: '  batch.delete(liveKey)\n  putOrder(batch, shard, ref, hereValue(bytes))',
    replace: '  batch.delete(liveKey)\n  batch.delete(keyOf(tags.order, shard.shard, ref))',
  },
  // What is on the disk when it is said to be
  {
    name: 'a write is acknowledged before it is on the disk',
    file: 'storage/group-commit.ts',
    find: '          await this.#kv.batch(batch.writes)',
    replace:
      '          for (const w of writers) w.resolve(w.result)\n          await this.#kv.batch(batch.writes)',
  },
  {
    name: 'a failed write is called a success',
    file: 'storage/group-commit.ts',
    find: 'for (const writer of writers) writer.reject(error)\n        continue',
    replace: 'for (const writer of writers) writer.resolve(writer.result)\n        continue',
  },
  {
    name: 'what a failed batch staged is kept in memory',
    file: 'storage/group-commit.ts',
    find: '      } catch (error) {\n        this.#state.discarded()',
    replace: '      } catch (error) {\n        this.#state.committed()',
  },
  {
    name: 'a batch does not see what came before it in the same batch',
    file: 'storage/staged-batch.ts',
    find: '      if (this.#staged.has(text)) return this.#staged.get(text)',
    replace: '      if (this.#staged.has(text) && key.length === 0) return this.#staged.get(text)',
  },
  {
    name: 'the cache remembers what was not written',
    file: 'storage/kv-cache.ts',
    find: '      this.#forget()\n      this.#isInDoubt = true\n      throw error',
    replace:
      '      this.#forget()\n      for (const w of writes) { const m = this.#byTag.get(w.key[0] as number); if (m !== undefined) keep(m, keyText(w.key), w.type === "put" ? w.value : undefined) }\n      throw error',
  },
  // What holders tell each other
  {
    name: 'the first record of each portion is left out',
    file: 'daemon/replication/push.ts',
    find: 'const entries = await store.records.log(owner, from, recordsMax)',
    replace: 'const entries = await store.records.log(owner, from + 1, recordsMax)',
  },
  {
    name: 'nobody compares',
    file: 'daemon/replication/replication.ts',
    find: 'if (this.#sinceMs(node, nowMs) >= config.reconcileEveryMs) void this.compareWith(node, signal)',
    replace: 'if (this.#sinceMs(node, nowMs) >= 1e12) void this.compareWith(node, signal)',
  },
  {
    name: 'a comparison sends nothing',
    file: 'daemon/replication/reconcile.ts',
    find: 'this.#send(node, owner, step.have, signal),',
    replace: 'step.have.length,',
  },
  {
    name: 'a comparison fetches nothing',
    file: 'daemon/replication/reconcile.ts',
    find: 'this.#receive(node, owner, step.need, signal),',
    replace: 'step.need.length,',
  },
  {
    name: 'every comparison finds equal',
    file: 'daemon/replication/reconcile.ts',
    find: 'records: equalBytes(own, fingerprint) ? same : otherwise',
    replace: 'records: own.length > 0 ? same : otherwise',
  },
  {
    name: 'what follows a range is taken to begin one later',
    file: 'protocol/reconcile/answer.ts',
    find: '      lower = upper\n',
    replace: '      lower = Math.min(upper + 1, set.size)\n',
  },
  {
    name: 'of a listed range the last item is not looked at',
    file: 'protocol/reconcile/machine.ts',
    find: 'for (let index = lower; index < upper; index++) {',
    replace: 'for (let index = lower; index < upper - 1; index++) {',
  },
  {
    name: 'a node that lacks what a session saw answers all the same',
    file: 'daemon/views/read-operations.ts',
    find: 'for (const { device, intervals } of seen ?? []) await checkSeen(store, owner, device, intervals)',
    replace: 'if (seen === undefined) return',
  },
  {
    name: 'the tree of refs is not told of a write',
    file: 'storage/record-writer.ts',
    find: '  shard.tree.insert(ref)\n',
    replace: '  if (ref[47 % 40] !== 7) shard.tree.insert(ref)\n',
  },
  {
    name: 'a split page loses an entry',
    file: 'storage/ref-tree.ts',
    find: '    page.used = keep\n',
    replace: '    page.used = keep - 1\n',
  },
  {
    name: 'copies are counted that are not there',
    file: 'daemon/replication/copies.ts',
    find: 'return 1 + others.length',
    replace: 'return 1 + this.#parts.holders.others(owner).length',
  },
  {
    name: 'a push counts as held whatever is answered',
    file: 'daemon/replication/push.ts',
    find: "if (answer === 'held') book.confirm(id, node)",
    replace: 'book.confirm(id, node)',
  },
  // Who holds what
  {
    name: 'a member that is gone is never replaced',
    file: 'protocol/placement/mending.ts',
    find: 'awayMs(seat) >= replaceAfterMs\n',
    replace: 'awayMs(seat) >= 1e12\n',
  },
  {
    name: 'a member signs whatever it is asked to',
    file: 'daemon/placement/repair.ts',
    find: 'if (before !== undefined) return equalBytes(before, document)',
    replace: 'if (before !== undefined && document.length === 0) return equalBytes(before, document)',
  },
  {
    name: 'half of the members are enough to put one out',
    file: 'protocol/placement/replica-set.ts',
    find: 'Math.floor(members / 2) + 1 : Math.min(2, members)',
    replace: 'Math.floor(members / 2) : Math.min(2, members)',
  },
  {
    name: 'one signature is enough for any step',
    file: 'protocol/placement/replica-set.ts',
    find: 'Math.floor(members / 2) + 1 : Math.min(2, members)',
    replace: '1 : 1',
  },
  {
    name: 'the older of two sets is kept',
    file: 'daemon/placement/replica-sets.ts',
    find: '  return compareReplicaSets(a.newest, b.newest) < 0',
    replace: '  return compareReplicaSets(a.newest, b.newest) > 0',
  },
  {
    name: 'of two sets of one step each keeps the first that it heard of',
    file: 'protocol/placement/replica-set.ts',
    find: 'return b.epoch - a.epoch || b.step - a.step || compareBytes(a.hash, b.hash)',
    replace: 'return b.epoch - a.epoch || b.step - a.step',
  },
  // That members are not told shows nowhere: the first record pushed to them is refused, and they are told then.
  {
    name: 'what members agreed on outweighs what the owner signs',
    file: 'protocol/placement/replica-set.ts',
    find: 'return b.epoch - a.epoch || b.step - a.step ||',
    replace: 'return b.step - a.step || b.epoch - a.epoch ||',
  },
  // Whoever lost a seat is also asked by the others; but only within one epoch, and it hands over what it has itself.
  {
    name: 'who lost a seat hands over nothing',
    file: 'daemon/replication/hand-over.ts',
    find: 'if (members.length === 0 || members.includes(rpc.self) || this.isDone(owner)) continue',
    replace: 'if (members.length >= 0) continue',
  },
  // Equal to any other whole copy is as good as equal to the leader's; whole while records are yet to come is not.
  {
    name: 'a joiner counts as whole at once',
    file: 'daemon/replication/replication.ts',
    find: '...result.equal.filter((owner) => this.isJoining(owner) && this.#provesWhole(node, owner)),',
    replace: '...wanted.filter((owner) => this.isJoining(owner)),',
  },
  {
    name: 'a joiner never counts as whole',
    file: 'daemon/replication/replication.ts',
    find: 'if (leader === node) return true\n',
    replace: 'if (leader === node) return false\n',
  },
  {
    name: 'who cannot take something yet is told and asked again at once',
    file: 'daemon/replication/push.ts',
    find: 'if (before === undefined) announceTo(node, owner)\n  }',
    replace: 'announceTo(node, owner)\n  }',
  },
]
