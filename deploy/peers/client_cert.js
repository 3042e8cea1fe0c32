// The verified certificate of a peer as Client-Cert (RFC 9440 2.2): DER in base64 between colons.

function rfc9440(request) {
    const pem = request.variables.ssl_client_raw_cert;
    if (!pem || request.variables.ssl_client_verify !== 'SUCCESS') {
        return ''; // nginx then sends no such header
    }
    return ':' + pem.replace(/-----[A-Z ]+-----|\s/g, '') + ':';
}

export default { rfc9440 };
