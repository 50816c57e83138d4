// panva's oidc-provider on 127.0.0.1, for the tests: `node provider.mjs FOLDER PORT`, with its packages in FOLDER.
// Anybody who types a name is that person; clients register themselves; what it signs with is made at the start.
import { generateKeyPairSync } from "node:crypto";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, port] = process.argv.slice(2);
const module = path.join(folder, "node_modules", "oidc-provider", "lib", "index.js");
const { Provider } = await import(pathToFileURL(module));
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
  claims: { openid: ["sub"], profile: ["nickname", "plan"] },
  cookies: { keys: ["only for tests"] },
  features: { registration: { enabled: true }, devInteractions: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, nickname: `${id} of panva`, plan: ["gold"] }),
  }),
  issueRefreshToken: (_, client, code) =>
    client.grantTypeAllowed("refresh_token") && code.scopes.has("offline_access"),
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "first" }] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
});

provider.listen(Number(port), "127.0.0.1");
