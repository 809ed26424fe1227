"""Calls to AWS: concurrent, paginated, each made once; a rejected call is recorded instead of raised."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import botocore.exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from workbook.errors import WorkbookError
from workbook.inventory.schema import Record
from workbook.inventory.scope import Scope
from workbook.target import ClientFactory

# No other call would succeed either, so these end the reading instead of adding a row to `problems` for each call.
_UNREACHABLE = (boto.ConnectionError, boto.HTTPClientError)
_NO_CREDENTIALS = {
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "RequestExpired",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
}  # fmt: skip


class Aws:
    """The connection to AWS that the layers' readers share during one reading.

    Parameters
    ----------
    client : returns a boto3 client for a service and region.
    scope : the environment that is read.
    pool : where calls run; its size is how many run at once.
    progress : called with (calls done, calls known so far, the call that ended), on the event loop's thread.
    """

    def __init__(
        self, client: ClientFactory, scope: Scope, pool: Executor, progress: Callable[[int, int, str], None]
    ) -> None:
        self.scope = scope
        self.problems: set[tuple[str, str, str]] = set()
        self._client = client
        self._pool = pool
        self._progress = progress
        # Creating a client is slow and not thread-safe: one thread does it, so that calls do not wait for other
        # clients.
        self._creator = ThreadPoolExecutor(1, thread_name_prefix="inventory-clients")
        self._clients: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._answers: dict[str, asyncio.Task[Record | ClientError | BotoCoreError]] = {}
        self._done = 0

    async def all(self, service: str, operation: str, key: str, *, tables: Iterable[str], **params: Any) -> list[Any]:
        """The list `key` from every page of an operation; [] if the call was rejected.

        AWS returns an empty list if there is nothing. A response without the list is therefore a problem.
        """
        answer = await self.get(service, operation, tables=tables, needs=key, **params)
        return list((answer or {}).get(key) or [])

    async def get(
        self,
        service: str,
        operation: str,
        *,
        tables: Iterable[str],
        region: str | None = None,
        absent: Iterable[str] = (),
        needs: str = "",
        **params: Any,
    ) -> Record | None:
        """The response of an operation, with its pages joined. The same call is made only once, however often it is
        requested.

        Parameters
        ----------
        tables : the tables that are incomplete if the call is rejected.
        absent : error codes that mean "not set": the response is {}.
        needs : the member without which the response says nothing.

        Returns
        -------
        The response; {} if nothing is set, None if the call was rejected or the response lacks what it `needs` (and a
        problem recorded).
        """
        region = region or self.scope.region
        name = json.dumps([service, operation, region, params], sort_keys=True)
        if name not in self._answers:
            self._answers[name] = asyncio.create_task(self._call(service, operation, region, params))
            self._progress(self._done, len(self._answers), f"{service} {operation}")
        answer = await self._answers[name]
        if isinstance(answer, dict):
            if not needs or answer.get(needs) is not None:
                return answer
            error = f"AWS did not return {needs}"
        elif isinstance(answer, ClientError):
            code = answer.response.get("Error", {}).get("Code", "")
            if code in set(absent):
                return {}
            error = f"{code}: {answer.response.get('Error', {}).get('Message', '')}".strip(": ")
        else:
            error = str(answer)
        subject = " ".join(str(v) for v in params.values() if isinstance(v, str))
        self.report(tables, f"{service} {operation} {subject}".strip(), error)
        return None

    def report(self, tables: Iterable[str], call: str, error: str) -> None:
        """Record that these tables are incomplete."""
        self.problems |= {(table, call, error) for table in tables}

    def identified(self, found: Iterable[Record], key: str, *, tables: Iterable[str]) -> list[Record]:
        """Those that have the `key` they are told apart by. One without it is a problem."""
        known = []
        for record in found:
            if record.get(key):
                known.append(record)
            else:
                self.report(tables, f"a list of {', '.join(tables)}", f"AWS did not return {key}")
        return known

    def ours(self, found: Iterable[Record], key: str, *, tables: Iterable[str], path: bool = False) -> list[Record]:
        """Those whose name, the value of `key`, belongs to the environment; `path` if it is somewhere in the name.

        One without a name may be ours or another's: a problem.
        """
        belongs = self.scope.within if path else self.scope.owns
        return [record for record in self.identified(found, key, tables=tables) if belongs(str(record[key]))]

    async def in_batches(
        self,
        service: str,
        operation: str,
        key: str,
        parameter: str,
        values: list[str],
        size: int,
        *,
        tables: Iterable[str],
        **params: Any,
    ) -> list[Any]:
        """The list `key` for all `values`, requested `size` at a time, the most that the operation accepts."""
        slices = [values[start : start + size] for start in range(0, len(values), size)]
        answers = await asyncio.gather(
            *(self.all(service, operation, key, tables=tables, **params, **{parameter: part}) for part in slices)
        )
        return [item for answer in answers for item in answer]

    async def _call(
        self, service: str, operation: str, region: str, params: Record
    ) -> Record | ClientError | BotoCoreError:
        client = await self._client_of(service, region)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, functools.partial(_answer, client, operation, params))
        except _UNREACHABLE as error:
            raise WorkbookError(
                f"AWS is not responding: {error}",
                "Check that the target is running and that this machine can reach it, then read again.",
            ) from error
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NO_CREDENTIALS:
                raise _credentials(error) from error
            return error
        except (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
            boto.SSOError,
        ) as error:
            raise _credentials(error) from error
        except BotoCoreError as error:
            return error
        finally:
            self._done += 1
            self._progress(self._done, len(self._answers), f"{service} {operation}")

    async def _client_of(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = asyncio.create_task(self._create_client(service, region))
        return await self._clients[service, region]

    async def _create_client(self, service: str, region: str) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._creator, _created, self._client, service, region
            )
        except BotoCoreError as error:  # such as a profile that does not exist
            raise _credentials(error) from error

    def close(self) -> None:
        self._creator.shutdown(wait=False, cancel_futures=True)


_creating = threading.Lock()


def _created(client: ClientFactory, service: str, region: str) -> Any:
    # Two concurrent readings may share a session too.
    with _creating:
        created = client(service, region)
    created.meta.events.register_first("needs-retry", _give_up_unreachable, unique_id="workbook-unreachable")
    return created


def _give_up_unreachable(caught_exception: Exception | None = None, **_: Any) -> None:
    """Ends botocore's retries when nothing is listening or responding: three more attempts would only cost time."""
    if isinstance(caught_exception, boto.ConnectionError | boto.ReadTimeoutError):
        raise caught_exception


def _answer(client: Any, operation: str, params: Record) -> Record:
    if client.can_paginate(operation):
        answer = client.get_paginator(operation).paginate(**params).build_full_result()
    else:
        answer = getattr(client, operation)(**params)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _credentials(error: Exception) -> WorkbookError:
    return WorkbookError(
        f"AWS rejected these credentials: {error}",
        "Renew them (aws sts get-caller-identity shows whose they are).",
    )
