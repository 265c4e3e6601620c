from appworld.collections.apis import ApiCollection
from appworld.requester import Requester


def solution(apis: ApiCollection, requester: Requester) -> None:
    passwords = {
        it["account_name"]: it["password"] for it in apis.supervisor.show_account_passwords()
    }
    token = apis.spotify.login(
        username=apis.supervisor.show_profile()["email"], password=passwords["spotify"]
    )["access_token"]
    shelf = [
        album
        for page_index in range(0, 10)
        for album in apis.spotify.list_shelf(page_index=page_index, access_token=token)
    ]
    stars = {it["title"]: apis.spotify.show_album(album_id=it["album_id"])["stars"] for it in shelf}
    apis.supervisor.complete_task(status="success", answer=max(stars, key=stars.get))
