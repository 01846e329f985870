/** For tests: certificates of this machine that nobody else trusts, good for a hundred years. Their keys are no secret. */
import type { Certificate } from '../serve/http/listener.ts';

const A = {
  cert: Buffer.from(`-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUDpsBO2ey6si9LvKUzNBfrwHOCDowCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGYS50ZXN0MCAXDTI2MTEyNjA0MjQwN1oYDzIxMjYxMTAyMDQy
NDA3WjARMQ8wDQYDVQQDDAZhLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASAM2zlzhPAkKRHiiDrGiEzkepOZG8wzaNrIpJPOloupCENlgHdWYnn1pt5V/hx
p7E+WCrq76+0lsrEuL02nPrho28wbTAdBgNVHQ4EFgQUxeiQPp5+cpdhwL5wLCld
eqCHD78wHwYDVR0jBBgwFoAUxeiQPp5+cpdhwL5wLCldeqCHD78wDwYDVR0TAQH/
BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwID
RwAwRAIgQnQQz9jRxrjdzycLY3JbUxkV9Ay7iWIK8wqob6xuI3sCIERvdaP/H4Ch
vfTQfRJNuVqLBp37kS8NuCWe/BwMQFrz
-----END CERTIFICATE-----
`),
  key: Buffer.from(`-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/eZAS4wkQHvoDAav
ahJXOQs0j9pLc4b0GgAzVrCU+3qhRANCAASAM2zlzhPAkKRHiiDrGiEzkepOZG8w
zaNrIpJPOloupCENlgHdWYnn1pt5V/hxp7E+WCrq76+0lsrEuL02nPrh
-----END PRIVATE KEY-----
`),
};

const B = {
  cert: Buffer.from(`-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUH66zwWiURz+juuRQYOd3FpPSQiAwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGYi50ZXN0MCAXDTI2MTEyNjA0MjQwN1oYDzIxMjYxMTAyMDQy
NDA3WjARMQ8wDQYDVQQDDAZiLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARTQ5yHs86nGolcvIzHsguIvfr5GyIPQJvwam4pI9LIPuqpjd0qAxQLGKqOpJzs
yljUwBC9Ikwtzm6HK2iiBVejo28wbTAdBgNVHQ4EFgQUW90WDdtgdsPChqzINhHU
T12lCF8wHwYDVR0jBBgwFoAUW90WDdtgdsPChqzINhHUT12lCF8wDwYDVR0TAQH/
BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwID
SAAwRQIgHB4MoZhMv0fdYVP/Cu0YoYHtEY3xXykuu/suAbzBvGwCIQD3s2VEnp+q
HcVOUvdTIs1BCxKDZ/QfIDl64MskiMj9EQ==
-----END CERTIFICATE-----
`),
  key: Buffer.from(`-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsinw1x+ChlJcWAtm
JuVldO3H39l/pJtMY0Cc+ttJ5vqhRANCAARTQ5yHs86nGolcvIzHsguIvfr5GyIP
QJvwam4pI9LIPuqpjd0qAxQLGKqOpJzsyljUwBC9Ikwtzm6HK2iiBVej
-----END PRIVATE KEY-----
`),
};

/** Issued to `a.test` and `b.test`, both for 127.0.0.1. */
export const CERTIFICATES: Readonly<Record<'a' | 'b', Certificate>> = { a: A, b: B };
