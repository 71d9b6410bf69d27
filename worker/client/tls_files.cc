#include "worker/client/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "crds/base/file.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxPemBytes = 4 << 20;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Certificate = std::unique_ptr<X509, FreeCertificate>;
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The first certificate of a file.
Result<Certificate> ReadCertificate(const std::string& what, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMaxPemBytes));
  const Bio bio = BioOf(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return InvalidError(what + " " + path + " holds no PEM certificate");
  return certificate;
}

// Notes that the key asks for a passphrase, and gives none.
int RefusePassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<Key> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMaxPemBytes));
  const Bio bio = BioOf(pem);
  bool asked = false;
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &RefusePassphrase, &asked));
  ERR_clear_error();
  if (asked) {
    return InvalidError("key file " + path +
                        " is encrypted; write it without a passphrase (openssl pkey -in ... -out "
                        "...)");
  }
  if (key == nullptr) return InvalidError("key file " + path + " holds no PEM private key");
  return key;
}

// "Jan  1 00:00:00 2024 GMT".
std::string TimeText(const ASN1_TIME* time) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (ASN1_TIME_print(bio.get(), time) != 1) return "an unreadable time";
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

Status CheckClientCertificate(const TlsFiles& files) {
  const std::string& path = files.certificate_file;
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate("certificate file", path));
  ASSIGN_OR_RETURN(const Key key, ReadKey(files.key_file));
  const bool fits = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!fits) {
    return InvalidError("key file " + files.key_file + " does not belong to certificate file " +
                        path);
  }
  const ASN1_TIME* end = X509_get0_notAfter(certificate.get());
  if (X509_cmp_current_time(end) < 0)
    return InvalidError("certificate file " + path + " has expired on " + TimeText(end));
  const ASN1_TIME* begin = X509_get0_notBefore(certificate.get());
  if (X509_cmp_current_time(begin) > 0)
    return InvalidError("certificate file " + path + " is not valid before " + TimeText(begin));
  return OkStatus();
}

}  // namespace

Status CheckTlsFiles(const TlsFiles& files) {
  if (!files.ca_file.empty()) RETURN_IF_ERROR(ReadCertificate("CA file", files.ca_file).status());
  return files.certificate_file.empty() ? OkStatus() : CheckClientCertificate(files);
}

}  // namespace millrace::worker
