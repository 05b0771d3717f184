"""Who vouches: keys, signers, the signed statement in its envelope, and threshold verification.

The only package that imports `cryptography`. Import the module that has what you need:
`keys.PublicKey`, `signers.find_signer`, `bundle.make_bundle`, `verify.verify_vouch`.
"""
