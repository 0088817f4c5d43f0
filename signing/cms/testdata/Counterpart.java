// The other side of bouncycastle_test.go: verifies with BouncyCastle, as the
// gateway does, what the test has signed, and signs what the test verifies.
//
// Called as: java -cp bcpkix.jar:bcprov.jar:bcutil.jar Counterpart.java, with a
// line of words for each thing to do, everything in base64:
//
//	verify SIGNATURE CONTENT
//	sign WAY ALGORITHM KEY CERTIFICATE CONTENT OTHER-CERTIFICATE
//
// It answers each with a line: "ok", with the signature if it has signed, or
// "no" and why not.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

public class Counterpart {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ", -1);
            try {
                System.out.println(words[0].equals("verify") ? verify(words) : sign(words));
            } catch (Exception e) {
                System.out.println("no " + e.toString().replace('\n', ' '));
            }
        }
        System.out.println("end " + new BouncyCastleProvider().getInfo());
    }

    static byte[] decode(String word) {
        return Base64.getDecoder().decode(word);
    }

    static String verify(String[] words) throws Exception {
        CMSSignedData data = new CMSSignedData(new CMSProcessableByteArray(decode(words[2])), decode(words[1]));
        SignerInformation signer = data.getSignerInfos().getSigners().iterator().next();
        Collection<X509CertificateHolder> found = data.getCertificates().getMatches(signer.getSID());
        boolean ok = signer.verify(
            new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(found.iterator().next()));
        return ok ? "ok" : "no";
    }

    static X509Certificate certificate(String word) throws Exception {
        return (X509Certificate)
            CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(decode(word)));
    }

    static String sign(String[] words) throws Exception {
        List<String> way = Arrays.asList(words[1].split(","));
        X509Certificate certificate = certificate(words[4]);
        String kind = certificate.getPublicKey().getAlgorithm().startsWith("EC") ? "EC" : "RSA";
        PrivateKey key = KeyFactory.getInstance(kind).generatePrivate(new PKCS8EncodedKeySpec(decode(words[3])));

        ContentSigner signer = new JcaContentSignerBuilder(words[2]).setProvider("BC").build(key);
        JcaSignerInfoGeneratorBuilder builder = new JcaSignerInfoGeneratorBuilder(
            new JcaDigestCalculatorProviderBuilder().setProvider("BC").build());
        builder.setDirectSignature(way.contains("noattr"));
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(
            way.contains("keyid") ? builder.build(signer, subjectKeyId(certificate)) : builder.build(signer, certificate));
        List<X509Certificate> certificates = new ArrayList<>();
        if (!way.contains("nocert")) certificates.add(certificate);
        if (way.contains("chain")) certificates.add(certificate(words[6]));
        generator.addCertificates(new JcaCertStore(certificates));
        CMSSignedData data =
            generator.generate(new CMSProcessableByteArray(decode(words[5])), way.contains("attached"));
        byte[] out = way.contains("der") ? data.toASN1Structure().getEncoded(ASN1Encoding.DER) : data.getEncoded();
        return "ok " + Base64.getEncoder().encodeToString(out);
    }

    static byte[] subjectKeyId(X509Certificate certificate) throws Exception {
        return SubjectKeyIdentifier.fromExtensions(new X509CertificateHolder(certificate.getEncoded()).getExtensions())
            .getKeyIdentifier();
    }
}
