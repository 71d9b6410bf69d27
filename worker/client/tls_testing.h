#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace millrace::worker::testing {

// A self-signed certificate for one DNS name, valid from `begin` to `end` seconds from now.
struct Certificate {
  Certificate(const std::string& name, long begin, long end)
      : key(EVP_EC_gen("P-256"), &EVP_PKEY_free), x509(X509_new(), &X509_free) {
    X509_set_version(x509.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), begin);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), end);
    X509_set_pubkey(x509.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509.get(), subject);
    X509_EXTENSION* san =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
    X509_add_ext(x509.get(), san, -1);
    X509_EXTENSION_free(san);
    X509_sign(x509.get(), key.get(), EVP_sha256());
  }
  void WriteTo(const std::string& path) const {
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, x509.get());
    std::fclose(file);
  }
  // With a passphrase when one is given.
  void WriteKeyTo(const std::string& path, const char* passphrase = nullptr) const {
    FILE* file = std::fopen(path.c_str(), "w");
    const int length = passphrase == nullptr ? 0 : static_cast<int>(std::strlen(passphrase));
    PEM_write_PKCS8PrivateKey(file, key.get(), passphrase == nullptr ? nullptr : EVP_aes_128_cbc(),
                              passphrase, length, nullptr, nullptr);
    std::fclose(file);
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
  std::unique_ptr<X509, decltype(&X509_free)> x509;
};

}  // namespace millrace::worker::testing
