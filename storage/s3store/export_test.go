package s3store

import "github.com/aws/aws-sdk-go-v2/service/s3"

// Unchecked returns a bucket without a look at the server.
func Unchecked(client *s3.Client, bucket string) *Bucket {
	b, err := newBucket(client, bucket, nil)
	if err != nil {
		panic(err)
	}
	b.replaces = true
	return b
}
