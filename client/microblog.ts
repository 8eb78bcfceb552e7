import { defineSchema } from '../protocol/schema/builder.ts'

/** Short posts with pictures among people in real places: what the phone page, the trials and the neighbourhood use. */
export const microblog = defineSchema({
  onehop: 1,
  id: 'example.microblog',
  version: 1,
  title: 'Microblog',
  shard: 'owner',
  hierarchies: {
    geo: { levels: ['world', 'continent', 'country', 'town'], leaf: 'profile.place' },
  },
  collections: {
    profile: {
      key: 'single',
      importance: 'high',
      fields: {
        name: { type: 'text', max: 200, required: true, search: { geo: 'world' } },
        bio: { type: 'text', max: 2000, search: { geo: 'continent' } },
        thumb: { type: 'image', max: 8 * 1024 },
        place: { type: 'scope', hierarchy: 'geo', search: { geo: 'world' } },
      },
    },
    posts: {
      key: 'none',
      stream: true,
      fields: {
        title: { type: 'text', max: 1000, search: { geo: 'world' } },
        text: { type: 'text', max: 10_000, search: { geo: 'world' } },
        topic: { type: 'text', max: 100, search: { geo: 'world' } },
        url: { type: 'text', max: 2000 },
        preview: { type: 'image', max: 32 * 1024 },
        picture: { type: 'blob' },
      },
    },
    follows: {
      key: { field: 'user' },
      follows: { field: 'user', streams: ['posts'] },
      fields: { user: { type: 'user', required: true } },
    },
    notes: {
      key: 'random',
      private: true,
      fields: { text: { type: 'text', max: 10_000, required: true } },
    },
  },
  views: {
    home: {
      own: ['profile'],
      feed: { of: 'posts', latest: 50, with: ['profile.name', 'profile.thumb'] },
      counts: { posts: 'posts', following: 'follows' },
    },
    person: {
      own: ['profile'],
      latest: [{ collection: 'posts', limit: 50 }],
      counts: { posts: 'posts', following: 'follows' },
    },
  },
  rollups: {
    posts: { count: 'posts', by: 'geo' },
    topics: { top: 'posts.topic', by: 'geo', limit: 20 },
  },
})
