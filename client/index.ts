/** What apps import as `onehop`. client/README.md begins with an example. */
export { fromHex, toHex } from '../protocol/bytes.ts'
export type { CryptoProvider } from '../protocol/crypto/provider.ts'
export { OnehopError, isErrorCode } from '../protocol/errors.ts'
export type { ErrorCode } from '../protocol/errors.ts'
export type { DeviceSecrets, IdentityState, Role } from '../protocol/identity/types.ts'
export type { Clock, Log, Random } from '../protocol/ports.ts'
export type { IdentityId, RecordId, RecordRef } from '../protocol/record/types.ts'
export { defineSchema } from '../protocol/schema/builder.ts'
export type { SchemaDocument } from '../protocol/schema/document.ts'
export type { CollectionName, RecordOf, ViewName } from '../protocol/schema/record-of.ts'
export type { Schema } from '../protocol/schema/schema.ts'
export { parseSchema } from '../protocol/schema/validate.ts'
export type { BlobReference, RecordReference } from '../protocol/schema/value.ts'

export { addressUrl } from './address.ts'
export { connectAdmin } from './admin.ts'
export type { Admin, AdminOptions } from './admin.ts'
export type { App, AnsweringNode } from './app.ts'
export { grantToken } from './app-tokens.ts'
export type { AppTokenRequest, GrantedToken } from './app-tokens.ts'
export type { BlobSource } from './blob-source.ts'
export type { BlobName, Blobs, PutOptions, RangeOptions } from './blobs.ts'
export { openBrowserKeyStore } from './browser-key-store.ts'
export { systemClock } from './clock.ts'
export type { Collection, ListOptions, PutItemOptions, ReadOptions, WriteOptions } from './collection.ts'
export { connect } from './connect.ts'
export type { ConnectOptions } from './connect.ts'
export type { FrameLink } from './frame-link.ts'
export type { Group, GroupRequest, Groups, KnownGroup, NewMember } from './groups.ts'
export { httpTransport } from './http.ts'
export type { HttpSigning } from './http.ts'
export { Identities } from './identities.ts'
export { deviceOf, Identity, joinIdentity, makeIdentity, openIdentity } from './identity.ts'
export type { AdmissionRequest } from './identity.ts'
export type { Item, Key, Page, ValueIn, Write } from './item.ts'
export { memoryKeyStore } from './key-store.ts'
export type { KeyStore } from './key-store.ts'
export type { LiveEvent, LiveOptions, LiveQuery } from './live.ts'
export { microblog } from './microblog.ts'
export { findNearest, Nearest } from './nearest.ts'
export type { MemberStatus, NearestOptions } from './nearest.ts'
export { pair } from './pairing.ts'
export type { Paired, PairingRun, PairOptions } from './pairing.ts'
export { placeShard, publish } from './placement.ts'
export type { Placed, PlaceOptions } from './placement.ts'
export { defaultCrypto, systemRandom } from './random.ts'
export { requestSigner } from './request-signer.ts'
export type { Signable, SignerOptions } from './request-signer.ts'
export { nameWritten } from './revocation.ts'
export type { Named, NamedRequest } from './revocation.ts'
export { findRecoverable, idDigits, makeRecovery, recoverIdentity, replaceRecovery } from './recovery.ts'
export type {
  Claimant,
  FindOptions,
  NewRecovery,
  Recovered,
  RecoverOptions,
  ReplaceOptions,
} from './recovery.ts'
export type {
  ApprovedReader,
  FollowRequest,
  FollowRequests,
  Readers,
  ReadersChange,
  RemoveOptions,
} from './readers.ts'
export type { SearchHitOf, SearchRequest, SearchResult } from './search.ts'
export { dialNode, streamTransport } from './secure-node.ts'
export type { DialNode, SecureNode } from './secure-node.ts'
export { openSession } from './session.ts'
export type { CallOptions, LiveReply, Transport } from './transport.ts'
export type { Author, Feed, FeedItem, Shown, View } from './view.ts'
export { webSocketTransport } from './websocket.ts'
