/** Countries by continent, as the United Nations group them (M49); their names come from the browser, in its language. */
const countriesOf: Readonly<Record<string, string>> = {
  africa:
    'ao bf bi bj bw cd cf cg ci cm cv dj dz eg eh er et ga gh gm gn gq gw io ke km lr ls ly ma mg ml mr mu mw mz na ne ng re rw sc sd sh sl sn so ss st sz td tf tg tn tz ug yt za zm zw',
  americas:
    'ag ai ar aw bb bl bm bo bq br bs bv bz ca cl co cr cu cw dm do ec fk gd gf gl gp gs gt gy hn ht jm kn ky lc mf mq ms mx ni pa pe pm pr py sr sv sx tc tt us uy vc ve vg vi',
  asia: 'ae af am az bd bh bn bt cn cy ge hk id il in iq ir jo jp kg kh kp kr kw kz la lb lk mm mn mo mv my np om ph pk ps qa sa sg sy th tj tl tm tr tw uz vn ye',
  europe:
    'ad al at ax ba be bg by ch cz de dk ee es fi fo fr gb gg gi gr hr hu ie im is it je li lt lu lv mc md me mk mt nl no pl pt ro rs ru se si sj sk sm ua va',
  oceania: 'as au cc ck cx fj fm gu hm ki mh mp nc nf nr nu nz pf pg pn pw sb tk to tv um vu wf ws',
}

const continentNames: Readonly<Record<string, string>> = {
  africa: 'Africa',
  americas: 'The Americas',
  asia: 'Asia',
  europe: 'Europe',
  oceania: 'Oceania',
}

export interface Country {
  readonly code: string
  readonly continent: string
  readonly name: string
}

const names = new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' })

function countryName(code: string): string {
  return /^[a-z]{2}$/.test(code) ? (names.of(code.toUpperCase()) ?? code) : code
}

/** By name, in the order of the person's language. */
export function countries(): readonly Country[] {
  const order = new Intl.Collator()
  return Object.entries(countriesOf)
    .flatMap(([continent, codes]) =>
      codes.split(' ').map((code) => ({ code, continent, name: countryName(code) })),
    )
    .toSorted((a, b) => order.compare(a.name, b.name))
}

/** /geo/europe/fr/paris gives Paris, France; /geo gives the whole world. */
export function scopeInWords(scope: string): string {
  const [, , continent, country, town] = scope.split('/')
  if (continent === undefined) return 'the whole world'
  if (country === undefined) return continentNames[continent] ?? capitalised(continent)
  if (town === undefined) return countryName(country)
  return `${capitalised(town)}, ${countryName(country)}`
}

function capitalised(slug: string): string {
  return slug
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ')
}
