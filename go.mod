module github.com/gaenkit/gaen

go 1.26.0

// The wire format of archives and of the European gateway: both are written and
// read with its protowire, and tested against its generated messages.
require google.golang.org/protobuf v1.36.12

// The embedded default of ledgers: SQLite without cgo, so that one binary is the
// whole deployment. Later versions cannot be tidied where the module proxy lacks
// a pprof that they name. Its libc must be the version it names itself.
require modernc.org/sqlite v1.60.0

// The driver of PostgreSQL, of which the ledger there takes the caller's pool and
// joins the caller's transactions. Its pipelines and binary arrays are what makes
// one small delivery cheap.
require github.com/jackc/pgx/v5 v5.12.0

// Tests only: the scripts (testscript) that run the programs under examples as
// whole processes and look at their output, files and exit status.
require github.com/rogpeppe/go-internal v1.16.0

// Concurrency with a limit (errgroup): objects written and archives read at the
// same time.
require golang.org/x/sync v0.24.0

// The client of S3, for storage/s3store alone; whoever does not import that does
// not build it.
require (
	github.com/aws/aws-sdk-go-v2 v1.47.7
	github.com/aws/aws-sdk-go-v2/service/s3 v1.114.8
	github.com/aws/smithy-go v1.28.8
)

// The client of CloudFront, for distribution/awscdn alone; whoever does not import
// that does not build it.
require github.com/aws/aws-sdk-go-v2/service/cloudfront v1.73.0

// Programs under examples, with the tag "cloud" alone: who they are to S3.
require github.com/aws/aws-sdk-go-v2/config v1.33.15

// examples/lambda, with the tag "cloud" alone: the loop by which AWS calls a
// function. It has no dependencies.
require github.com/aws/aws-lambda-go v1.55.1

// Tests only: a server of S3 in the test's own process that checks signatures,
// checksums and conditions, as not every fake does.
require github.com/rclone/gofakes3 v0.0.12

// The client of Google Cloud Storage, for storage/gcsstore alone; whoever does not
// import that does not build it. With -tags disable_grpc_modules it is half as
// large.
require (
	cloud.google.com/go/storage v1.70.0
	google.golang.org/api v0.307.0
)

// Signed messages and tokens of the interoperability protocol, for signing/jws
// alone: tokens by HS256 and ES256, and a JSON that takes no name twice and none
// in another case. It has no dependencies.
require github.com/go-jose/go-jose/v4 v4.1.8

// DER for signing/cms (cryptobyte alone): it reads to the last byte, where
// encoding/asn1 passes over what stands behind the last field, and writes.
require golang.org/x/crypto v0.58.0

// Tests only: another implementation of signatures in CMS, that ours are
// verified by and that signs what ours verifies. It has no dependencies. Why it
// is not what signing/cms is made of, signing/cms/doc.go says.
require github.com/smallstep/pkcs7 v0.2.3

require golang.org/x/oauth2 v0.37.0 // indirect

require (
	cel.dev/expr v0.25.2 // indirect
	cloud.google.com/go v0.123.0 // indirect
	cloud.google.com/go/auth v0.24.1 // indirect
	cloud.google.com/go/auth/oauth2adapt v0.3.0 // indirect
	cloud.google.com/go/compute/metadata v0.10.0 // indirect
	cloud.google.com/go/iam v1.12.0 // indirect
	cloud.google.com/go/monitoring v1.30.0 // indirect
	github.com/GoogleCloudPlatform/opentelemetry-operations-go/detectors/gcp v1.35.0 // indirect
	github.com/GoogleCloudPlatform/opentelemetry-operations-go/exporter/metric v0.57.0 // indirect
	github.com/GoogleCloudPlatform/opentelemetry-operations-go/internal/resourcemapping v0.57.0 // indirect
	github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream v1.7.26 // indirect
	github.com/aws/aws-sdk-go-v2/credentials v1.20.15 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.20.7 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/v4a v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.24 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/checksum v1.11.11 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.14.10 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/s3shared v1.20.10 // indirect
	github.com/aws/aws-sdk-go-v2/service/signin v1.12.3 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.39.3 // indirect
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.44.3 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.51.8 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/cncf/xds/go v0.0.0-20260202195803-dba9d589def2 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/envoyproxy/go-control-plane/envoy v1.37.0 // indirect
	github.com/envoyproxy/protoc-gen-validate v1.3.3 // indirect
	github.com/felixge/httpsnoop v1.1.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/google/s2a-go v0.1.11 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/googleapis/enterprise-certificate-proxy v0.3.23 // indirect
	github.com/googleapis/gax-go/v2 v2.26.2 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/minio/xxml v0.0.3 // indirect
	github.com/ncruces/go-strftime v1.0.0 // indirect
	github.com/planetscale/vtprotobuf v0.6.1-0.20240319094008-0393e58bdf10 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/ryszard/goskiplist v0.0.0-20150312221310-2dfbae5fcf46 // indirect
	github.com/shabbyrobe/gocovmerge v0.0.0-20230507112040-c3350d9342df // indirect
	github.com/spiffe/go-spiffe/v2 v2.8.1 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/contrib/detectors/gcp v1.45.0 // indirect
	go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.68.0 // indirect
	go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp v0.69.0 // indirect
	go.opentelemetry.io/otel v1.45.0 // indirect
	go.opentelemetry.io/otel/metric v1.45.0 // indirect
	go.opentelemetry.io/otel/sdk v1.45.0 // indirect
	go.opentelemetry.io/otel/sdk/metric v1.45.0 // indirect
	go.opentelemetry.io/otel/trace v1.45.0 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/time v0.16.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	google.golang.org/genproto v0.0.0-20260715232425-e75dac1f907d // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260715232425-e75dac1f907d // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261019180522-ce908d29299b // indirect
	google.golang.org/grpc v1.84.0 // indirect
	modernc.org/libc v1.77.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)
