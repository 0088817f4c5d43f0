// The other side of jose_test.go: verifies with npm's jose and Node's crypto what
// the test has signed, and signs what the test verifies.
//
// Called as: node counterpart.mjs /path/to/node_modules, with JSON on the
// standard input, and answering with JSON.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import * as crypto from 'node:crypto'

globalThis.crypto ??= crypto.webcrypto // which Node 18 does not make global
const jose = await import(pathToFileURL(createRequire(process.argv[2] + '/').resolve('jose')))

const input = JSON.parse(readFileSync(0, 'utf8'))
const secret = Buffer.from(input.secret, 'base64url')
const publicKey = await jose.importSPKI(input.publicKey, 'ES256')
const privateKey = await jose.importPKCS8(input.privateKey, 'ES256')
const now = new Date(input.now)

// raw are signatures as ES256 has them, over text as it is sent.
const raw = (key) => ({ key, dsaEncoding: 'ieee-p1363' })
const verifyAsSent = (text) => {
  const [header, payload, signature] = text.split('.')
  if (!crypto.verify('sha256', Buffer.from(`${header}.${payload}`), raw(input.publicKey), Buffer.from(signature, 'base64'))) {
    throw new Error('does not verify')
  }
  return { header: JSON.parse(Buffer.from(header, 'base64')), payload: Buffer.from(payload, 'base64').toString() }
}
const signAsSent = (payload, encode) => {
  const text = `${encode(Buffer.from('{"alg":"ES256"}'))}.${encode(Buffer.from(payload))}`
  return `${text}.${encode(crypto.sign('sha256', Buffer.from(text), raw(input.privateKey)))}`
}

const verify = {
  asSent: verifyAsSent,
  message: async (text) => {
    const { payload, protectedHeader } = await jose.compactVerify(text, publicKey, { algorithms: ['ES256'] })
    return { header: protectedHeader, payload: new TextDecoder().decode(payload) }
  },
  secretToken: async (text) => {
    const { payload, protectedHeader } = await jose.jwtVerify(text, secret, { algorithms: ['HS256'], currentDate: now })
    return { header: protectedHeader, payload: JSON.stringify(payload) }
  },
  keyToken: async (text) => {
    const { payload, protectedHeader } = await jose.jwtVerify(text, publicKey, { algorithms: ['ES256'], currentDate: now })
    return { header: protectedHeader, payload: JSON.stringify(payload) }
  },
}
const verified = []
for (const { by, text } of input.texts ?? []) {
  try {
    verified.push(await verify[by](text))
  } catch (error) {
    verified.push({ error: String(error) })
  }
}

const message = (header) => new jose.CompactSign(new TextEncoder().encode(input.payload)).setProtectedHeader(header).sign(privateKey)
const token = (header, key) =>
  new jose.SignJWT({ id: 'GI', jti: 'node' }).setProtectedHeader(header).setIssuedAt(now).setExpirationTime(new Date(input.expires)).sign(key)
const padded = (data) => {
  const part = data.toString('base64url')
  return part + '='.repeat((4 - (part.length % 4)) % 4)
}
const messages = {
  plain: await message({ alg: 'ES256' }),
  named: await message({ alg: 'ES256', kid: 'node', typ: 'JOSE', cty: 'json' }),
  padded: signAsSent(input.payload, padded),
  standard: signAsSent(input.payload, (data) => data.toString('base64')),
}
const secretTokens = { plain: await token({ alg: 'HS256', typ: 'JWT' }, secret), named: await token({ alg: 'HS256', kid: 'node' }, secret) }
const keyTokens = { plain: await token({ alg: 'ES256' }, privateKey), named: await token({ alg: 'ES256', kid: 'node' }, privateKey) }
console.log(JSON.stringify({ verified, messages, secretTokens, keyTokens }))
